"""Options for asking a saved model: what `offgraph.Predictor` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from offgraph.apps.shared_options import Option, adding
from offgraph.core.choices import Blend, Merge, Outputs, TestTimeVariants

__all__ = ["ModelFile", "asks_comparison", "asks_model", "asks_variants", "load_model"]

ModelFile = Annotated[Path, typer.Argument(help="A .keras file written by og.save; it holds its recipe.")]


def _numbers(text: str) -> Any:
    """One number, or several with commas, as numbers; `offgraph.predict` refuses other texts."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        return text
    return int(parts[0]) if len(parts) == 1 else tuple(map(int, parts))


def _recipe(path: Path) -> Any:
    import offgraph as og

    return og.Compose.from_yaml(path)


_OTHER_RECIPE = "Use --recipe although the model was made with another one."
_RESULTS = "A recipe of result steps for masks, instead of the one saved in the model."
_OUTPUTS = "What the model outputs, where its last layer leaves it open."
_THRESHOLD = "For multilabel models: classes above it are labels."
_PAD = "Extend images to a multiple of this, or of what the model takes: auto; cut off again."
_VARIANTS = "Ask the model about variants of each image, too: mirrored left to right, along all axes, or all symmetries of a square."
_MERGE = "How the answers to variants become one."
_TILES = "Run the model on tiles of this size, such as 512,512: masks or boxes of images that it does not take whole."
_OVERLAP = "Pixels that tiles share; auto: twice as many as the model looks to each side, of boxes a quarter of a tile."
_BLEND = "How tiles that share pixels are averaged; gaussian by default."

_PLAIN = {
    "batch_size": Option(Annotated[int, typer.Option(min=1)], 32),
    "threads": Option(Annotated[int | None, typer.Option(min=1, help="Threads; all cores by default.")]),
    "outputs": Option(Annotated[Outputs | None, typer.Option(help=_OUTPUTS)]),
    "threshold": Option(Annotated[float, typer.Option(help=_THRESHOLD)], 0.5),
}
_RESAMPLED = {
    "resamples": Option(
        Annotated[int, typer.Option(min=1, help="Resampled sets of images for the intervals.")], 1000
    ),
    "seed": Option(Annotated[int, typer.Option(min=0, max=2**64 - 1, help="The seed of these.")], 0),
}
_OPTIONS = {
    "recipe": Option(
        Annotated[Path | None, typer.Option("--recipe", "-r", help="The recipe, a YAML or JSON file.")],
        None,
        _recipe,
    ),
    "other_recipe": Option(Annotated[bool, typer.Option(help=_OTHER_RECIPE)], False),
    "postprocess": Option(Annotated[Path | None, typer.Option(help=_RESULTS)], None, _recipe),
    **_PLAIN,
    "pad_to": Option(Annotated[str | None, typer.Option(help=_PAD)], None, _numbers),
    "tta": Option(Annotated[TestTimeVariants | None, typer.Option(help=_VARIANTS)]),
    "merge": Option(Annotated[Merge, typer.Option(help=_MERGE)], "mean"),
    "tiles": Option(Annotated[str | None, typer.Option(help=_TILES)], None, _numbers),
    "overlap": Option(Annotated[str, typer.Option(help=_OVERLAP)], "auto", _numbers),
    "blend": Option(Annotated[Blend | None, typer.Option(help=_BLEND)]),
}

asks_model = adding(_OPTIONS, "asking")
"""Add the options above to a command: its dict `asking` holds the keywords of `offgraph.Predictor` that were given."""

asks_comparison = adding({**_PLAIN, "pad_to": _OPTIONS["pad_to"], **_RESAMPLED}, "asking")
"""The same for `offgraph.skew`: without variants, tiles and other recipes, with what its intervals are made of."""

asks_variants = adding(
    {**_PLAIN, **{name: _OPTIONS[name] for name in ("merge", "pad_to")}, **_RESAMPLED}, "asking"
)
"""The same for `offgraph.choose_tta`."""


def load_model(path: Path) -> Any:
    """Load a saved model, TensorFlow's start-up messages held back."""
    import offgraph as og
    from offgraph.frameworks.quiet import load_tensorflow

    if path.is_file():
        load_tensorflow("keras")
    return og.load(path)
