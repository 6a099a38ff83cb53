"""`GalvLogBucket`, and the logs that are delivered to it."""
