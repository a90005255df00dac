"""Write the tables of what stands for each step of other libraries, from the tables that convert them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from offgraph.migration.albumentations import TABLE as ALBUMENTATIONS
from offgraph.migration.generator import ARGUMENTS
from offgraph.migration.keras_layers import TABLE as KERAS
from offgraph.migration.report import measured
from offgraph.migration.tables import Table
from offgraph.migration.tfa_table import TABLE as TFA
from offgraph.migration.torchvision_table import TABLE as TORCHVISION

__all__ = ["HEADINGS", "write"]

HEADINGS = {
    "albumentations": ("Albumentations", ALBUMENTATIONS),
    "keras": ("Keras layers", KERAS),
    "torchvision": ("torchvision", TORCHVISION),
    "tfa": ("tfa.image and tf.image", TFA),
}
VERDICTS = {"exact": "the same", "close": "nearly the same", "differs": "differs", "none": "no equal"}


def _says(verdict: str, levels: float, origin: str, names: Iterable[str]) -> str:
    figures = [found for name in names if (found := measured(origin, name)) is not None]
    if verdict == "none":
        return VERDICTS[verdict]
    said = (
        f"within {levels:g} grey level{'s' * (levels != 1)}"
        if verdict == "close" and levels
        else VERDICTS[verdict]
    )
    if not figures:
        return said
    largest, mean = max(figure.largest for figure in figures), max(figure.mean for figure in figures)
    return f"{said} (measured: {largest:g}, mean {mean:.2g})"


def _lines(origin: str, table: Table) -> list[str]:
    lines = ["| theirs | here | agreement | what to know |", "|---|---|---|---|"]
    for row in table.rows():
        ours = row.ours or ("–" if row.verdict == "none" else "nothing needed")
        says = _says(row.verdict, row.levels, origin, [row.name])
        lines.append(f"| `{row.name}` | {ours} | {says} | {row.why.replace('|', chr(92) + '|')} |")
    return lines


def _generator() -> list[str]:
    lines = ["| arguments | here | agreement | what to know |", "|---|---|---|---|"]
    for group in ARGUMENTS:
        names = ", ".join(f"`{name}`" for name in (*group.names, *group.options))
        says = _says(group.verdict, group.levels, "generator", group.names)
        lines.append(f"| {names} | {group.ours or '–'} | {says} | {group.why} |")
    return lines


def write(page: Path) -> None:
    """Write a section per library, a row per step."""
    lines = [
        "# What stands for what",
        "",
        "One row for each step of another library. The agreement is the best case: what an argument changes, the report of a",
        "conversion says. Grey levels are of uint8, measured on a photograph against the library's latest version with a",
        "permissive licence; *the same* means the same pixels for the same drawn values.",
        "",
    ]
    for origin, (heading, table) in HEADINGS.items():
        lines += [f"## {heading}", "", *_lines(origin, table), ""]
        if origin == "keras":
            lines += ["## Keras ImageDataGenerator", "", *_generator(), ""]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(lines))
