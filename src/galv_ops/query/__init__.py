"""Everything that asks AWS."""
