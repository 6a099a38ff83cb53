"""`GalvWebAcl` and its rules."""
