"""What every wing may use: checks, policy, places, acknowledgements. It imports no wing."""
