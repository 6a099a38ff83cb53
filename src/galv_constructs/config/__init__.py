"""`GalvConfig`: the context keys of the documented deployment."""
