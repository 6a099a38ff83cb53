"""The Django app and settings that a task adds to the application of its image."""
