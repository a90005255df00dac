"""Checks before training: previews, comparisons, unusual files."""
