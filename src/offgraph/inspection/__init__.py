"""Look before training: previews, comparisons, odd files."""
