"""Write the page of what each step was compared with in other libraries, from `docs/references.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).parent / "references.json"
HEAD = """# Beside other libraries

What each step gives, beside the function that it stands for elsewhere: {rows} comparisons of {steps} steps. **Same bytes** means the
same type and every bit. Else the bound is the largest difference of any value, which a test holds wherever the library is installed,
and the figure behind it what was measured. Images are of bytes, where 1 is a grey level, unless said; floats are from 0 to 1. Draws are
fixed on both sides. The call is written for `image`, or for each `channel`; the step beside it is what you would put into a recipe.

The tests measure SciPy, scikit-image, Pillow and Keras anew in each run. OpenCV and Albumentations (2.0.8, the last version under the
MIT licence) are optional, and what was measured with them is kept with their versions. torchvision is compared by the formulas in its
documentation. `python -m tests.references` measures all that is installed.
"""
KINDS = {
    "photo": "photograph", "grey": "grey photograph", "noise": "noise", "words": "16-bit noise",
    "floats": "float32 photograph", "doubles": "float64 photograph", "objects": "binary objects",
    "blobs": "blobs of two values", "probabilities": "probabilities",
}  # fmt: skip


def write(page: Path) -> None:
    """Write a table per library, and a list of the steps with their nearest equal."""
    rows = json.loads(FIGURES.read_text(encoding="utf-8"))
    steps = sorted({name for row in rows for name in row["steps"]})
    lines = [HEAD.format(rows=len(rows), steps=len(steps))]
    for library in dict.fromkeys(row["library"] for row in rows):
        of_it = [row for row in rows if row["library"] == library]
        version = of_it[0]["version"]
        lines += [f"## {library}{f' {version}' if version else ''}", ""]
        lines += ["| step | compared with | images | apart |", "| --- | --- | --- | --- |"]
        lines += [
            f"| `{_cell(row['step'])}` | `{_cell(row['call'])}` | {_images(row)} | {_apart(row)} |"
            for row in of_it
        ]
        lines.append("")
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(lines), encoding="utf-8")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _images(row: dict[str, Any]) -> str:
    kinds = ", ".join(KINDS[name] for name in row["images"])
    return f"{kinds}; {row['inside']} pixels from the border" if row["inside"] else kinds


def _apart(row: dict[str, Any]) -> str:
    if row["bound"] == 0:
        return "**same bytes**"
    measured = "equal here" if row["equal"] else f"measured {row['largest']:g}, on average {row['mean']:g}"
    return f"at most {row['bound']:g} ({measured}): {row['why']}"
