"""Class numbers of items, classes held against those that were given, and what there is to learn, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from offgraph.core.choices import Task
from offgraph.core.counting import count_of
from offgraph.core.errors import SourceError
from offgraph.sources.items import Item, Label
from offgraph.sources.names import named, nfc

__all__ = ["class_numbers", "classes_of", "refuse_classes", "said_task"]


def class_numbers(label: Label | None) -> tuple[int, ...]:
    """Class numbers of a label of one or several classes."""
    if label is None:
        return ()
    return tuple(map(int, label)) if isinstance(label, tuple) else (label,)


def classes_of(item: Item) -> tuple[int, ...]:
    """Class numbers of an item: of its label, or of its objects, each once."""
    return (
        class_numbers(item.label) if item.objects is None else tuple(np.unique(item.objects.labels).tolist())
    )


def refuse_classes(
    where: str,
    found: set[str],
    class_names: tuple[str, ...],
    advice: str | None = None,
) -> None:
    """Raise where a class is not among the names that were given.

    Raises
    ------
    SourceError
        Naming the classes that are there and those that were given.
    """
    known = set(class_names)
    others = [name for name in found if nfc(name) not in known]
    if others:
        plural = len(others) != 1
        them = "them" if plural else "it"
        advice = advice or f"move or rename {them}, or give labels=None to take all images without classes"
        raise SourceError(
            f"{where}: the {'classes' if plural else 'class'} {named(others)} {'are' if plural else 'is'} not among "
            f"class_names ({named(class_names, 20)}); {advice}"
        )


def said_task(task: Task | None, class_names: Sequence[str], target_names: Sequence[str]) -> str:
    """Say what there is to learn: ``"classify: 3 classes"``, ``"regress: age"``; empty where there is nothing."""
    if task == "regress" and target_names:
        return f"regress: {', '.join(target_names)}"
    if task in ("classify", "multilabel", "detect"):
        return f"{task}: {count_of(len(class_names), 'class', 'classes')}"
    return task or ""
