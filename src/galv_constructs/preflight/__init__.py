"""Questions that are asked before anything that takes minutes is created."""
