"""Albumentations' steps that are made of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from offgraph.migration.albumentations.table import TABLE
from offgraph.migration.arguments import Arguments
from offgraph.steps.base import Step
from offgraph.transforms.structure import OneOf, SomeOf
from offgraph.transforms.structure import Sequence as Chain

__all__: list[str] = []

_PIPELINE = (
    "bbox_params", "keypoint_params", "additional_targets", "is_check_shapes", "is_check_args", "strict", "seed",
    "mask_interpolation", "save_applied_params", "save_key", "preprocessing_transforms", "postprocessing_transforms",
    "to_tensor",
)  # fmt: skip


@TABLE.add("Compose", "ReplayCompose", ours="Compose", kind="sequence", p=1.0)
def _compose(a: Arguments, parts: list[Step]) -> Sequence[Step]:
    for name in _PIPELINE:
        a.get(name)
    return parts


@TABLE.add("Sequential", ours="Sequence", kind="sequence")
def _sequential(a: Arguments, parts: list[Step]) -> Sequence[Step]:
    return parts


@TABLE.add("OneOf", ours="OneOf", kind="choice")
def _one_of(a: Arguments, parts: list[Step]) -> Sequence[Step]:
    return (OneOf(parts),) if any(part.p > 0 for part in parts) else ()


@TABLE.add("OneOrOther", ours="OneOf", kind="choice", p=1.0)
def _one_or_other(a: Arguments, parts: list[Step]) -> Sequence[Step]:
    if len(parts) != 2:
        a.refuse("transforms", "two steps", len(parts))
    first, a.probability = a.number("p", 0.5), 1.0
    return (OneOf([replace(parts[0], p=first), replace(parts[1], p=1 - first)]),)


def _some(a: Arguments, parts: list[Step], shuffle: bool) -> Sequence[Step]:
    count = a.whole("n", 1)
    if a.flag("replace", a.old):
        a.differs("replace=True: here each step is chosen at most once")
    if a.old:
        a.tell("as in version 1, p of a step inside is its weight")
    else:  # all are as likely, and one that is chosen is applied with its own p
        parts = [Chain([part]) if part.p < 1 else part for part in parts]
    possible = sum(part.p > 0 for part in parts)
    return (SomeOf(parts, n=min(count, possible), shuffle=shuffle),) if possible else ()


@TABLE.add("SomeOf", ours="SomeOf", kind="choice", p=1.0)
def _some_of(a: Arguments, parts: list[Step]) -> Sequence[Step]:
    return _some(a, parts, False)


@TABLE.add("RandomOrder", ours="SomeOf", kind="choice", p=1.0)
def _random_order(a: Arguments, parts: list[Step]) -> Sequence[Step]:
    return _some(a, parts, True)


@TABLE.add("NoOp", ours="")
def _nothing(a: Arguments) -> Sequence[Step]:
    return ()


TABLE.none("SelectiveChannelTransform", instead="no step works on some channels alone")
TABLE.none(
    "Lambda", instead="give your function a name by og.function(name, function), then write og.Lambda(name)"
)
