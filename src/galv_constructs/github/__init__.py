"""Roles that GitHub Actions assumes, and the tokens that they trust."""
