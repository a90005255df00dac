"""A progress bar where there is a terminal to draw it on."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

__all__ = ["progress_bar"]


@contextlib.contextmanager
def progress_bar(total: int, show: bool | None) -> Iterator[Callable[[int, int], None]]:
    """Give a function to be called after each image, with how many are done and how many of these could not be used.

    Parameters
    ----------
    total : int
        Images in all.
    show : bool or None
        None: only where standard error is a terminal.
    """
    if show is False or (show is None and not sys.stderr.isatty()):
        yield lambda done, bad: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: object) -> Text:
            speed = getattr(task, "speed", None)
            return Text("" if speed is None else f"{speed:.0f} images/s")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, TextColumn("{task.fields[bad]}"), console=Console(stderr=True)) as bar:
        task = bar.add_task("build", total=total, bad="")

        def step(done: int, bad: int) -> None:
            bar.update(task, completed=done, bad=f"{bad} set aside" if bad else "")

        yield step
