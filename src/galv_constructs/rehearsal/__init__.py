"""A release on a copy of the database, before it is deployed."""
