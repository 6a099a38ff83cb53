"""The setup of a release, on a copy of the database."""
