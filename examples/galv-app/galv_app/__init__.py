"""Stacks of the documented deployment."""
