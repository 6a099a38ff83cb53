"""Questions that are asked before anything that costs time or money is created."""
