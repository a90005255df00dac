"""Speeds as ratios: Offgraph beside SciPy and OpenCV in one run, answers checked before anything is timed."""
