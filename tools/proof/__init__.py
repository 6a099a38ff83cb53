"""Runs a checkout of Galv under the tasks of synthesized templates, and says what works."""
