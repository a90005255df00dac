"""Between a source and a batch or a dataset: ordered work on threads, buffers, checks of what a batch may hold."""
