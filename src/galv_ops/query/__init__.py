"""What there is: everything that asks AWS."""
