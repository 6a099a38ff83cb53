"""`GalvBackend`, and the parts that only it has."""
