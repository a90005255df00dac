"""What every package uses: errors, axes, specs, random draws, arguments, tables, threads."""
