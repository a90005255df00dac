"""How a model is run on images: options that are parsed once, for `Predictor` and for what makes several predictors."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

from offgraph.core.arguments import whole_number
from offgraph.core.choices import OnError, Outputs
from offgraph.core.errors import OffgraphError
from offgraph.pipeline.workers import default_threads

__all__ = ["RunOptions"]


@dataclass(frozen=True)
class RunOptions:
    """Options as `Predictor` describes them, parsed."""

    batch_size: int
    threads: int
    on_error: OnError
    outputs: Outputs | None
    threshold: float
    pad_to: int | Literal["auto"] | None

    @classmethod
    def of(
        cls,
        *,
        batch_size: int = 32,
        threads: int | None = None,
        on_error: OnError = "quarantine",
        outputs: Outputs | None = None,
        threshold: float = 0.5,
        pad_to: int | Literal["auto"] | None = None,
    ) -> Self:
        """Parse the options as they were given.

        Raises
        ------
        OffgraphError
            For a value that an option does not take; names both.
        """
        batch_size = whole_number("batch_size", batch_size)
        threads = whole_number("threads", default_threads() if threads is None else threads)
        if on_error not in get_args(OnError):
            raise OffgraphError(f"on_error={on_error!r}: choose 'quarantine' or 'stop'")
        if outputs not in (None, *get_args(Outputs)):
            raise OffgraphError(f"outputs={outputs!r}: choose 'probabilities' or 'logits', or leave it out")
        if pad_to is not None and pad_to != "auto":
            pad_to = whole_number("pad_to", pad_to)
        return cls(batch_size, threads, on_error, outputs, _threshold(threshold), pad_to)

    def keywords(self) -> dict[str, Any]:
        """Return the options as keywords of `Predictor`."""
        return asdict(self)


def _threshold(value: Any) -> float:
    """Parse the probability above which a class is one of an image's labels."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < 1:
        raise OffgraphError(f"threshold={value!r:.80}: give a probability of at least 0 and below 1")
    return number
