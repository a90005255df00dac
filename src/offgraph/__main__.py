"""``python -m offgraph``: the command line, for environments whose scripts are not on the path."""

from offgraph.apps.cli import main

if __name__ == "__main__":
    main()
