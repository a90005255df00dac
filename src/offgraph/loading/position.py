"""Where a loader is in its epochs, as plain JSON and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from offgraph.core.errors import ArgumentError, RecipeMismatch
from offgraph.loading.share import Cut, Share

__all__ = ["LoaderIdentity", "Position", "resumed", "state_of"]

_VERSION = 1
_Count = Annotated[int, Field(ge=0, lt=1 << 60)]
_Word = Annotated[int, Field(ge=0, lt=1 << 64)]


@dataclass(frozen=True)
class Position:
    """A place between two batches of an epoch.

    Parameters
    ----------
    epoch : int
    images, batches : int
        Given of this share of the epoch, images that were left out among them.
    left_out : int
        Images that were left out.
    cuts : tuple of Cut
        Where the run was interrupted in this epoch.
    """

    epoch: int
    images: int = 0
    batches: int = 0
    left_out: int = 0
    cuts: tuple[Cut, ...] = ()

    def after(self, images: int, left_out: int) -> Position:
        """Return the position after another batch."""
        return Position(self.epoch, images, self.batches + 1, left_out, self.cuts)


@dataclass(frozen=True)
class LoaderIdentity:
    """What a state belongs to.

    Parameters
    ----------
    seed : int
    shuffle : bool
    batch_size : int
    shard : tuple of two int
    count : int
        Images of an epoch, all shards together.
    source, recipe : str
        Digests.
    """

    seed: int
    shuffle: bool
    batch_size: int
    shard: tuple[int, int]
    count: int
    source: str
    recipe: str


class _Cut(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    total: _Count
    done: Annotated[list[_Count], Field(min_length=1)]
    batches: _Count


class _State(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    offgraph_loader: Literal[1]
    epoch: _Word
    images: _Count
    batches: _Count
    left_out: _Count
    cuts: list[_Cut]
    seed: _Word
    shuffle: bool
    batch_size: Annotated[int, Field(ge=1)]
    shard: Annotated[list[_Count], Field(min_length=2, max_length=2)]
    count: _Count
    source: str
    recipe: str

    def position(self) -> Position:
        """Where the loader was."""
        cuts = tuple(Cut(cut.total, tuple(cut.done), cut.batches) for cut in self.cuts)
        return Position(self.epoch, self.images, self.batches, self.left_out, cuts)

    def fits(self) -> bool:
        """Whether the numbers are those of a position in such an epoch."""
        index, shards = self.shard
        if not index < shards:
            return False
        cuts: tuple[Cut, ...] = ()
        for cut in self.position().cuts:
            share = Share(self.count, 0, len(cut.done), cuts)
            if cut.total != share.total or share.cut(cut.done, cut.batches) != cut:
                return False
            cuts = (*cuts, cut)
        return self.left_out <= self.images <= len(Share(self.count, index, shards, cuts))


def state_of(position: Position, identity: LoaderIdentity) -> dict[str, Any]:
    """Return a position as plain JSON."""
    return {
        "offgraph_loader": _VERSION,
        "epoch": position.epoch,
        "images": position.images,
        "batches": position.batches,
        "left_out": position.left_out,
        "cuts": [
            {"total": cut.total, "done": list(cut.done), "batches": cut.batches} for cut in position.cuts
        ],
        "seed": identity.seed,
        "shuffle": identity.shuffle,
        "batch_size": identity.batch_size,
        "shard": list(identity.shard),
        "count": identity.count,
        "source": identity.source,
        "recipe": identity.recipe,
    }


def resumed(given: Any, identity: LoaderIdentity) -> Position:
    """Return the position of a state, or of the states of all shards of a run, for the loader with an identity.

    Raises
    ------
    ArgumentError, RecipeMismatch
        Where a state is none, or of another source, seed, order or recipe, or those of a run do not belong together.
    """
    several = isinstance(given, Sequence) and not isinstance(given, str | bytes)
    states = [_parsed(state) for state in (given if several else [given])]
    if not states:
        raise ArgumentError("state=[]: give what state_dict() returned, of one shard or of each")
    for state in states:
        _check(state, identity)
    mine = next((state for state in states if tuple(state.shard) == identity.shard), None)
    if mine is not None and mine.batch_size == identity.batch_size:
        return mine.position()
    return _divided_again(_in_one_epoch(states) if several else states)


def _parsed(given: Any) -> _State:
    try:
        state = _State.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        text = first["msg"][:1].lower() + first["msg"][1:]
        raise ArgumentError(
            f"state: {where + ': ' if where else ''}{text}; give what Loader.state_dict() returned"
        ) from None
    if not state.fits():
        raise ArgumentError(
            "state: its numbers contradict each other; give what Loader.state_dict() returned"
        )
    return state


def _check(state: _State, identity: LoaderIdentity) -> None:
    """Refuse the state of another run."""
    if (state.count, state.source) != (identity.count, identity.source):
        counts = (
            "other names"
            if state.count == identity.count
            else f"{state.count:,} images, and now there are {identity.count:,}"
        )
        raise ArgumentError(
            f"state: it was saved with another source ({counts}); its order means nothing here: resume with the source "
            "as it was, or begin an epoch with start_epoch="
        )
    for name in ("seed", "shuffle"):
        was, now = getattr(state, name), getattr(identity, name)
        if was != now:
            raise ArgumentError(
                f"state: it was saved with {name}={was}, and this loader has {name}={now}; give it {name}={was}"
            )
    if state.recipe != identity.recipe:
        raise RecipeMismatch(
            f"state: it was saved with another recipe (digest {state.recipe:.12}, this one is {identity.recipe:.12}): the "
            "epoch would go on with other images; load that recipe, or begin an epoch with start_epoch="
        )


def _in_one_epoch(states: list[_State]) -> list[_State]:
    """States of all shards of a run, in the order of their shards; of one that began the next epoch, the end of this one."""
    shards = states[0].shard[1]
    first = min(state.epoch for state in states)
    ordered = sorted(states, key=lambda state: state.shard[0])
    cuts = next(state.cuts for state in states if state.epoch == first)
    share = Share(states[0].count, 0, shards, tuple(Cut(c.total, tuple(c.done), c.batches) for c in cuts))
    ended = {"epoch": first, "images": share.most, "cuts": cuts, "left_out": 0}
    ordered = [
        state.model_copy(update=ended) if state.epoch == first + 1 and not state.images else state
        for state in ordered
    ]
    if [state.shard for state in ordered] != [[i, shards] for i in range(shards)] or any(
        state.epoch != first or state.cuts != cuts for state in ordered
    ):
        raise ArgumentError(
            "state: these are not the states of all shards of one run in one epoch: "
            + ", ".join(f"shard {state.shard} in epoch {state.epoch}" for state in states[:8])
        )
    return ordered


def _divided_again(states: list[_State]) -> Position:
    """Where the shards of another number go on: what is left is divided among them."""
    state, position = states[0], states[0].position()
    shards = state.shard[1]
    share = Share(state.count, 0, shards, position.cuts)
    done = [one.images for one in states] if len(states) == shards else [state.images] * shards
    cut = share.cut(tuple(done), max(one.batches for one in states))
    if not any(cut.done):
        return Position(position.epoch, cuts=position.cuts)
    return Position(position.epoch, cuts=(*position.cuts, cut))
