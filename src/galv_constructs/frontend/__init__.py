"""`GalvFrontend`: the source of the site, its build, and what serves it."""
