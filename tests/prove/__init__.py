"""`make prove`: faults at random against a running chain, then every figure against the truth. The seed says which faults, and when."""
