"""The tables of the docs are made from those that convert, and hold what was measured."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import offgraph as og
from offgraph.migration.generator import ARGUMENTS
from offgraph.migration.report import measured

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    sys.modules.pop("migration_tables", None)
    import migration_tables  # pyright: ignore[reportMissingImports]

    return migration_tables


def test_every_row_stands_in_the_page(tables, tmp_path):
    tables.write(tmp_path / "page.md")
    text = (tmp_path / "page.md").read_text()
    for heading, table in tables.HEADINGS.values():
        assert f"## {heading}\n" in text
        for row in table.rows():
            assert f"| `{row.name}` |" in text
    assert all(f"`{name}`" in text for group in ARGUMENTS for name in group.names)
    assert (
        "| `Rotate` | Rotate | within 1 grey level (measured: " in text
        and "| `Superpixels` | – | no equal |" in text
    )


def test_our_names_are_steps(tables):
    for _, table in tables.HEADINGS.values():
        for row in table.rows():
            for name in re.findall(r"\b[A-Z]\w+\b", row.ours):
                assert name in og.STEPS or name in ("OneOf", "Compose"), f"{row.name}: {name}"


def test_what_is_the_same_was_measured_to_be(tables):
    """Of steps with fixed cases; 'close' holds for each case by its own report, in the tests of each library."""
    counted = 0
    for origin, (_, table) in tables.HEADINGS.items():
        for row in table.rows():
            figure = measured(origin, row.name)
            if figure is not None and row.verdict == "exact":
                assert figure.largest == 0, f"{row.name} is said to be the same: {figure}"
                counted += 1
    assert counted >= 12
