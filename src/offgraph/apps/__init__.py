"""What stands outside: the command line, over public names only."""
