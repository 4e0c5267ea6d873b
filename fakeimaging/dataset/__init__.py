"""What lies on disk: the study file, BIDS raw files, their truth, the manifest, and the way back to Python objects."""
