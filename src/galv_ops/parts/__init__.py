"""The parts of a deployment that `galv-ops status` tells of, one a file."""
