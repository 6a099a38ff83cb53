"""What `galv-ops doctor` knows of, one cause a file: each looks at the evidence."""
