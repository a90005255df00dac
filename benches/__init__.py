"""Speeds as ratios: Offgraph against SciPy and OpenCV in one run, answers checked before anything is timed."""
