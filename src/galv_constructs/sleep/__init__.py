"""Deployments that rest at night and at weekends."""
