"""The causes that `galv-ops doctor` recognizes in the evidence, one in each file."""
