"""What `offgraph.audit` knows of a script: names and the values that they hold, calls, and the traps in them."""
