"""The common part of all wings: checks, policy, places, acknowledgements. It imports no wing."""
