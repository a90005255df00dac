"""Applications: the command line, which uses public names only."""
