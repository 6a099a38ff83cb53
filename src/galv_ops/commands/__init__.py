"""The commands of `galv-ops`, one a file."""
