"""`make bench-detection`: the detector and its rivals on simulated school years with known truths."""
