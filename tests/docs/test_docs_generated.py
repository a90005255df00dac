"""The pages made from counts and measurements: right with them, and honest without."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

DOCS = Path(__file__).parents[2] / "docs"
ROWS = [
    {"case": "median 3×3 u8", "milliseconds": 0.3, "times_scipy": 210.0, "times_opencv": 0.6},
    {"case": "median 5×5 u8", "milliseconds": 0.7, "times_scipy": 350.0, "times_opencv": None},
    {"case": "rotate 33° order 1 u8", "milliseconds": 1.2, "times_scipy": 18.5, "times_opencv": 1.3},
]


@pytest.fixture
def pages(monkeypatch, tmp_path):
    """The modules that write the pages, looking for counts and records in an empty folder."""
    monkeypatch.syspath_prepend(str(DOCS))
    for name in ("speed", "conformance"):
        sys.modules.pop(name, None)
    import conformance
    import speed

    monkeypatch.setattr(speed, "RECORDS", tmp_path / "record")
    monkeypatch.setattr(conformance, "COUNTS", tmp_path / "conformance.json")
    return conformance, speed


def kept(folder: Path) -> None:
    (folder / "record" / "some-processor").mkdir(parents=True)
    (folder / "record" / "some-processor" / "operations.json").write_text(json.dumps(ROWS))
    (folder / "record" / "some-processor" / "pipeline.json").write_text(
        '[{"case": "whole path", "images_per_second": 453.0, "scipy": 72.5, "times_scipy": 6.2}]'
    )


def test_without_counts_and_records_the_pages_say_so(pages, tmp_path):
    for module in pages:
        module.write(tmp_path / "page.md")
        assert "make" in (tmp_path / "page.md").read_text()


def test_ratios_are_drawn_and_listed(pages, tmp_path):
    kept(tmp_path)
    _, speed = pages
    speed.write(tmp_path / "speed.md")
    text = (tmp_path / "speed.md").read_text()
    assert "| rotate 33° order 1 u8 | 1.2 | 18.5 | 1.3 |" in text
    for theme, brightness in (("light", 30), ("dark", 210)):
        assert f"```{{image}} speed-0-{theme}.png\n:alt: some-processor, operations" in text
        assert text.count(f":class: only-{theme}\n") == 1
        drawn = np.asarray(Image.open(tmp_path / f"speed-0-{theme}.png"))
        assert drawn[0, 0, 3] == 0 and drawn[..., 3].mean() < 128  # the page shows through
        grey = drawn[(drawn[..., 3] == 255) & (np.ptp(drawn[..., :3], axis=-1) < 12)]
        assert len(grey) > 500 and abs(np.median(grey[:, :3]) - brightness) < 20
    assert speed.ratios() == {"median_filter": "280.0 (210.0 to 350.0)", "rotate": "18.5 (18.5 to 18.5)"}


def test_counts_become_tables(pages, tmp_path):
    kept(tmp_path)
    conformance, _ = pages
    head = {"scipy": "1", "numpy": "2", "seed": 1, "levels": ["avx2"], "threads": [1, 2]}
    head |= {"cases": 9, "differing": 1, "crashes": 0, "added": ["--seed 5 --add"]}
    functions = {
        "zoom": {
            "uint8": {"order 1, wrap": {"2": [4, 1, 0], "3": [2, 0, 0]}},
            "bool": {"order 0, wrap": {"2": [1, 0, 0]}},
        },
        "median_filter": {"uint8": {"nearest": {"2": [2, 0, 1]}}},
    }
    (tmp_path / "conformance.json").write_text(json.dumps(head | {"functions": functions}))
    conformance.write(tmp_path / "page.md")
    text = (tmp_path / "page.md").read_text()
    assert "| `zoom` | 7 | 1 | yes |  |" in text
    assert "| `median_filter` | 2 | 0 | no | 280.0 (210.0 to 350.0) |" in text
    assert "| `median_filter` |  | **1 of 2 differ** |" in text
    assert "| order 1, wrap | 4 | 2 |" in text
    assert "`rotate` | 0 | 0 | not compared |" in text
    assert "calls again, and `python -m tests.parity.long --seed 5 --add` those that came later;" in text


def test_the_records_of_the_repository_make_a_page(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(DOCS))
    sys.modules.pop("speed", None)
    import speed

    speed.write(tmp_path / "speed.md")
    assert "| rotate" in (tmp_path / "speed.md").read_text()


def test_every_comparison_with_another_library_is_in_its_table(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(DOCS))
    sys.modules.pop("references", None)
    import references

    references.write(tmp_path / "generated" / "references.md")
    page = (tmp_path / "generated" / "references.md").read_text()
    rows = json.loads((DOCS / "references.json").read_text())
    lines = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(lines) == len(rows) and f"{len(rows)} comparisons" in page
    assert sum("**same bytes**" in line for line in lines) == sum(row["bound"] == 0 for row in rows)
    for library in ("SciPy", "scikit-image", "Pillow", "OpenCV", "Albumentations 2.0.8", "Keras 3"):
        assert f"\n## {library}" in page
    assert (
        "| `CLAHE(clip_limit=2.0)` | `createCLAHE(2, (8, 8)).apply(channel)` |" in page
        and "at most 1 (" in page
    )
