"""From a source or a dataset to batches."""
