"""The image that tasks run."""
