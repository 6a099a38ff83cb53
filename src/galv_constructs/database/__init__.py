"""The database: the instance, its owner, its connections."""
