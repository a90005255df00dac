"""The only files that import a framework, inside functions: batches as tensors, recipes inside models."""
