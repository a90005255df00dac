"""What is known of a run that writes to disk: which job it is, and how much of it is done.

A folder beside the file that is to be made holds it until it is finished::

    mask.tif.tiles/
      job.json      what is computed, of what, and how far it is
      1.npy …       what each pass has made so far

A row of tiles counts as done when its pixels are on disk and `job.json`, replaced in one step, says so.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from offgraph.core.errors import OffgraphError, StepError, WriteError
from offgraph.core.tables import dumps

__all__ = ["TileJob"]


class TileJob:
    """The folder of a run.

    Parameters
    ----------
    out : Path
        The file that is to be made.
    described : mapping of str to JSON
        What is computed; a folder that holds something else is refused.

    Attributes
    ----------
    rows : int
        Rows of tiles that are done.
    passes : int
        Passes over the mask that are done.
    resumed : bool
        Whether anything was done before.

    Raises
    ------
    OffgraphError
        Where the folder holds another job; says in what they differ.
    WriteError
        Where it cannot be made.
    """

    def __init__(self, out: Path, described: Mapping[str, Any]) -> None:
        self._out = out
        self.folder = out.with_name(out.name + ".tiles")
        self._path = self.folder / "job.json"
        self._described: dict[str, Any] = json.loads(dumps(dict(described)))
        self.rows, self.passes = 0, 0
        try:
            self.folder.mkdir(exist_ok=True)
            text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        except OSError as error:
            raise WriteError(f"{self.folder}: cannot be written: {error.strerror or error}", error) from error
        if text:
            self._take_over(text)
        else:
            self.done()
        self.resumed = bool(self.rows or self.passes)

    def _take_over(self, text: str) -> None:
        try:
            found = json.loads(text)
            rows, passes, job = int(found["rows"]), int(found["passes"]), dict(found["job"])
        except (ValueError, TypeError, KeyError) as error:
            raise OffgraphError(f"{self._path}: is damaged; remove {self.folder} to begin again") from error
        differs = [
            name
            for name in sorted(job.keys() | self._described.keys())
            if job.get(name) != self._described.get(name)
        ]
        if differs:
            raise OffgraphError(
                f"{self.folder}: holds an unfinished run with another {', '.join(differs)}; go on with the options it was begun "
                "with, or remove it to begin again"
            )
        self.rows, self.passes = rows, passes

    def file(self, name: str) -> Path:
        """A file in the folder."""
        return self.folder / name

    def done(self, *, rows: int | None = None, passes: int | None = None) -> None:
        """Write down how far it is."""
        self.rows = self.rows if rows is None else rows
        self.passes = self.passes if passes is None else passes
        new = self.file("job.new")
        state = {"offgraph": 1, "rows": self.rows, "passes": self.passes, "job": self._described}
        with new.open("w", encoding="utf-8") as file:
            file.write(dumps(state, indent=1))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Name the file where it cannot be written, and leave no folder of a run that was refused before its first row was done.

        Such a folder only stands in the next run's way.
        """
        try:
            yield
        except StepError:
            if not (self.rows or self.passes):
                shutil.rmtree(self.folder, ignore_errors=True)
            raise
        except OSError as error:
            if isinstance(error, OffgraphError):
                raise
            raise WriteError(f"{self._out}: cannot be written: {error.strerror or error}", error) from error

    def end(self) -> None:
        """Remove the folder, when all that is wanted lies elsewhere."""
        shutil.rmtree(self.folder)
