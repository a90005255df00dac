"""What a step is: its base, its kinds, its declaration, and the registry of all steps."""

from offgraph.steps import parameters

__all__ = ["parameters"]
