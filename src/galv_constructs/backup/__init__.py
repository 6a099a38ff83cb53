"""Backups that AWS Backup keeps, apart from what they are of."""
