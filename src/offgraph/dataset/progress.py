"""A progress bar where there is a terminal to draw it on."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

__all__ = ["progress_bar"]


@contextlib.contextmanager
def progress_bar(total: int, done: int, show: bool | None) -> Iterator[Callable[[bool], None]]:
    """Give a function to be called after each image with whether it could be used.

    Parameters
    ----------
    total, done : int
        Images in all, and those that are there already.
    show : bool or None
        None: only where standard error is a terminal.
    """
    if show is False or (show is None and not sys.stderr.isatty()):
        yield lambda good: None
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
        task = bar.add_task("build", total=total, completed=done, bad="")
        bad = 0

        def step(good: bool) -> None:
            nonlocal bad
            bad += not good
            bar.update(task, advance=1, bad=f"{bad} set aside" if bad else "")

        yield step
