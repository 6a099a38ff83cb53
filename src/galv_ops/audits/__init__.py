"""What `galv-ops audit` looks at, a file for each subject."""
