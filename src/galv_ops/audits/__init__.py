"""The audits of `galv-ops audit`, a file for each subject."""
