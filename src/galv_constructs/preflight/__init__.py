"""What is asked before anything that costs time or money is created."""
