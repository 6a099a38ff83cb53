"""What a task adds to the application that its image has."""
