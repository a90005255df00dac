"""Measure every comparison whose library is installed, and write `docs/references.json`: `python -m tests.references`."""

from tests.references import record

if __name__ == "__main__":
    record.write()
