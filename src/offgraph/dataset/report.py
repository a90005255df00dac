"""The report of a build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from offgraph.core.counting import count_of
from offgraph.dataset.records import Quarantined
from offgraph.pipeline.scaled_decoding import DecodingError
from offgraph.sources.names import printable

__all__ = ["BuildReport"]


@dataclass(frozen=True)
class BuildReport:
    """What a build made, or with ``dry_run=True`` what it would make.

    Parameters
    ----------
    path : Path
        The folder of the dataset.
    format : str
    images : int
        Files in the source.
    examples : int
        Examples in the dataset.
    classes : dict
        Examples of each class, by name; empty for a source without classes.
    quarantined : tuple of Quarantined
        Images that were set aside, with the reason of each; ``retry`` marks those that were not refused for
        their content, which the same build tries again when it is run again.
    bytes : int
        Size of images and masks on the disk; estimated in a dry run.
    seconds : float
        Time it took; estimated in a dry run.
    resumed : int
        Examples that an earlier run had finished.
    kept : int
        Examples that an update took over from the dataset as it was: all of them where nothing had changed.
    decoding : DecodingError or None
        How far images are from full decoding, where the recipe decodes them at another scale.
    repaired : tuple of str
        What was found missing or damaged, and written again.
    dry_run : bool
    max_bad : str
        The share, or the number, of bad images that was allowed, in words.
    draws : bool
        Whether a step that is stored draws, so that each example holds the outcome of one draw, in every epoch the same.
    draws_later : bool
        Whether all that the recipe draws comes after what is stored: a loader of the dataset draws it in every epoch anew.
    parts : mapping of str to BuildReport
        Of ``"train"``, ``"val"`` and ``"test"``, where the source was divided; else empty. The numbers above are
        then those of all parts.
    """

    path: Path
    format: str
    images: int
    examples: int
    classes: dict[str, int]
    quarantined: tuple[Quarantined, ...]
    bytes: int
    seconds: float
    resumed: int = 0
    repaired: tuple[str, ...] = ()
    dry_run: bool = False
    max_bad: str = ""
    draws: bool = False
    draws_later: bool = False
    parts: Mapping[str, BuildReport] = field(default_factory=dict)
    kept: int = 0
    decoding: DecodingError | None = None

    @property
    def pictures(self) -> int:
        """Former name of `images`."""
        return self.images

    @property
    def waiting(self) -> int:
        """Number of images that the same build tries again when it is run again."""
        return len({bad.name for bad in self.quarantined if bad.retry})

    def summary(self) -> str:
        """Return the report as a few lines of text."""
        if self.parts:
            return "\n".join(part.summary() for part in self.parts.values())
        lines = [self._headline()]
        if self.classes:
            lines.append(
                "  " + ", ".join(f"{printable(name)} {count}" for name, count in self.classes.items())
            )
        if self.draws and self.examples <= self.images:
            lines.append(
                "  drawn once and stored, so that every epoch sees the same; copies= (--copies) draws each image "
                "more often, a Loader of the source itself in every epoch anew"
            )
        if self.draws_later and self.examples > self.images:
            lines.append(
                "  the copies of an image are alike: all that is drawn comes after what is stored, and a Loader of the "
                "dataset draws it in every epoch anew; build without copies=, or with store='final' (--store final)"
            )
        if self.decoding is not None:
            lines.append(f"  {self.decoding}")
        lines.extend(f"  written again: {what}" for what in self.repaired)
        if self.resumed and not self.dry_run:
            new = self.examples - self.resumed
            lines.append(f"  {count_of(self.resumed, 'example')} already there, {new} new")
        if self.kept not in (0, self.resumed):
            lines.append(f"  {count_of(self.kept, 'example')} taken over, {self.examples - self.kept} made")
        if self.quarantined:
            count, what = len(self.quarantined), count_of(len(self.quarantined), "image")
            where = "" if self.dry_run else f" (all in {self.path / 'quarantine.csv'})"
            share = len({bad.name for bad in self.quarantined}) / max(1, self.images)
            allowed = (
                f", {share:.1%} of them; up to {self.max_bad} are allowed"
                if self.max_bad and not self.dry_run
                else ""
            )
            lines.append(f"  {what} could not be used{allowed}{where}:")
            lines.extend(
                f"    {printable(bad.name)}: {printable(bad.reason)}" for bad in self.quarantined[:5]
            )
            if count > 5:
                lines.append(f"    … and {count - 5} more")
        if self.waiting:
            lines.append(
                f"  {count_of(self.waiting, 'image')} could not be opened, whatever the content is: "
                "run the same build again to try once more"
            )
        return "\n".join(lines)

    def _headline(self) -> str:
        what = f"{count_of(self.examples, 'example')} from {count_of(self.images, 'image')}"
        size, time = _bytes(self.bytes), _seconds(self.seconds)
        if self.dry_run:
            return f"{self.path}: would hold {what} as {self.format}, about {size}, in about {time}; nothing is written"
        if self.resumed == self.examples and not self.repaired and not self.waiting:
            return f"{self.path}: already finished and whole: {what}, {size}"
        return f"{self.path}: {what} as {self.format}, {size}, in {time}"


def _bytes(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _seconds(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"
