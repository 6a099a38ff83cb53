"""Stacks of a platform that runs Galv among other things."""
