"""Coordinate maps, and the way from the output grid back to the original one."""
