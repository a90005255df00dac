"""The command line: every command is a few lines over public names.

Exit status: 0 done, 1 an error (one line on standard error), 2 wrong usage, 3 done but with files set aside, or traps
found by ``audit`` or steps without an equal by ``convert``, under ``--strict``, 70 a bug in the program.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, cast

import typer
import typer.core

from offgraph.apps.audit_command import audit
from offgraph.apps.bench_command import bench
from offgraph.apps.convert_command import convert
from offgraph.apps.report_command import report
from offgraph.apps.skew_command import skew
from offgraph.apps.source_options import AxesOption, PageOption, as_options, opens_source
from offgraph.apps.steps_command import steps
from offgraph.apps.tile_options import (
    BlendOption,
    OverlapOption,
    TilesOption,
    is_mask_file,
    numbers,
    predict_to_file,
)
from offgraph.core.choices import (
    ArrayEncoding,
    Color,
    Compression,
    Merge,
    NonFinite,
    OnError,
    Outputs,
    Store,
    TestTimeVariants,
)

__all__ = ["app", "main"]


class _Commands(typer.core.TyperGroup):
    """Commands whose usage errors leave out pydantic's prefix "Value error"."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # Typer's own context
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise


app = typer.Typer(
    cls=_Commands,
    name="offgraph",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="SciPy's image transforms for CNNs: from a folder of files to a dataset, and from a prediction back to the image.",
)


Source = Annotated[
    Path,
    typer.Argument(help="A folder of images (flat, or a folder for each class), or a CSV with path,label."),
]
RecipeFile = Annotated[Path | None, typer.Option("--recipe", "-r", help="The recipe, a YAML or JSON file.")]
ColorOption = Annotated[Color, typer.Option(help="rgb: always three channels; grey: one; keep: as stored.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Threads; all cores by default.")]
Seed = Annotated[int, typer.Option(min=0, max=2**64 - 1, help="The seed of every draw.")]
Strict = Annotated[bool, typer.Option(help="Exit with status 3 when files were set aside.")]


def _format(name: str) -> str:
    from offgraph.dataset.formats import FORMATS

    if name not in FORMATS:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(FORMATS)}")
    return name


def _share(option: str, text: str) -> float:
    """A share of the images, 0.2 or 20%, or a number of them."""
    try:
        return (
            float(text[:-1]) / 100 if text.endswith("%") else int(text) if text.isdecimal() else float(text)
        )
    except ValueError:
        raise typer.BadParameter(
            f"{text}: give a share such as 0.2 or 20%, or a number such as 50", param_hint=option
        ) from None


@app.command()
@opens_source
def build(
    source: Source,
    out: Annotated[
        Path,
        typer.Argument(help="The folder to write. Run the same build again after a kill, and it continues."),
    ],
    recipe: Annotated[Path, typer.Option("--recipe", "-r", help="The recipe, a YAML or JSON file.")],
    format: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            callback=_format,
            help="folder: PNG files by class; arrow: tensors, not decoded to be read; tfrecord: TFRecord shards; webdataset: tar.",
        ),
    ] = "folder",
    copies: Annotated[
        int, typer.Option(min=1, help="Examples made of each image, each with its own draws.")
    ] = 1,
    workers: Workers = None,
    engine: Annotated[
        str, typer.Option(help="What makes the shards: threads of this program, or tasks of Ray.")
    ] = "threads",
    address: Annotated[
        str | None, typer.Option(help="Of a Ray cluster; by default Ray is started on this machine.")
    ] = None,
    on_error: Annotated[
        OnError, typer.Option(help="List a bad file and continue, or stop at it.")
    ] = "quarantine",
    max_bad: Annotated[
        str,
        typer.Option(
            help="Bad files that are tolerated: a share such as 5%, or a number. One more: status 1."
        ),
    ] = "50%",
    non_finite: Annotated[
        NonFinite, typer.Option(help="NaN or infinity in images of floats: a bad file, or stored.")
    ] = "error",
    val: Annotated[
        str,
        typer.Option(
            help="Share (0.2) or number (50) of images for OUT/val, by the recipe without its draws."
        ),
    ] = "0",
    test: Annotated[str, typer.Option(help="The same for OUT/test; training is then OUT/train.")] = "0",
    group_by: Annotated[
        str | None,
        typer.Option(
            help="Images that stay together in a split: by a column of the table, or 'parent' for the file's folder."
        ),
    ] = None,
    seed: Seed = 0,
    store: Annotated[
        Store, typer.Option(help="Images after the last step that gives integers, or the final floats.")
    ] = "integers",
    shard_size: Annotated[
        int | None, typer.Option(min=1, help="Examples per shard: the most work that a killed build loses.")
    ] = None,
    encoding: Annotated[
        ArrayEncoding | None,
        typer.Option(help="Of tfrecord and webdataset: PNG, the default, or values as they are."),
    ] = None,
    compression: Annotated[
        Compression | None, typer.Option(help="Of arrow, one example at a time; none by default.")
    ] = None,
    color: ColorOption = "rgb",
    dry_run: Annotated[bool, typer.Option(help="Report counts, bytes and time; write nothing.")] = False,
    update: Annotated[
        bool,
        typer.Option("--update", help="Make only images that were added or changed; remove deleted ones."),
    ] = False,
    strict: Strict = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Make a dataset of a folder of images."""
    import offgraph as og
    from offgraph.frameworks.quiet import load_tensorflow

    if format == "tfrecord":
        load_tensorflow()
    try:
        report = og.build(
            og.open_source(source, color=color, **reading),
            out,
            recipe,
            format=cast(Any, format),  # checked against FORMATS by the option
            copies=copies,
            workers=workers,
            engine=cast(Any, engine),  # an error names those that there are
            address=address,
            on_error=on_error,
            max_bad=max_bad,
            non_finite=non_finite,
            val=_share("--val", val),
            test=_share("--test", test),
            group_by=group_by,
            seed=seed,
            store=store,
            dry_run=dry_run,
            update=update,
            shard_size=shard_size,
            encoding=encoding,
            compression=compression,
        )
    except KeyboardInterrupt:
        typer.echo(
            "offgraph: stopped; run the same command again, and it continues where it stopped", err=True
        )
        raise typer.Exit(130) from None
    typer.echo(_shown(report.summary()))
    if strict and report.quarantined:
        raise typer.Exit(3)


@app.command()
@opens_source
def preview(
    source: Source,
    recipe: RecipeFile = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The HTML page to write.")] = Path("preview.html"),
    images: Annotated[
        int, typer.Option("--images", "--pictures", "-n", min=1, help="How many images to draw.")
    ] = 8,
    seed: Seed = 0,
    color: ColorOption = "rgb",
    *,
    reading: dict[str, Any],
) -> None:
    """Draw images before and after a recipe, on one page."""
    import offgraph as og

    opened = og.open_source(source, color=color, **reading)
    written = og.preview(opened, [] if recipe is None else recipe, out, n=images, seed=seed)
    typer.echo(_shown(f"wrote {written}"))


@app.command()
def compare(
    image: Annotated[Path, typer.Argument(help="The image to look at.")],
    vary: Annotated[list[str], typer.Option("--vary", help="STEP.field=a,b,c; may be given several times.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The HTML page to write.")] = Path("compare.html"),
    recipe: RecipeFile = None,
    color: ColorOption = "rgb",
    axes: AxesOption = None,
    page: PageOption = None,
) -> None:
    """Show one image under several settings side by side, with differences and times."""
    import offgraph as og

    written = og.compare(image, vary, out, recipe=recipe, color=color, axes=axes, page=page)
    typer.echo(_shown(f"wrote {written}"))


@app.command()
@opens_source
def predict(
    model: Annotated[Path, typer.Argument(help="A .keras file written by og.save; it holds its recipe.")],
    source: Source,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="The folder for tables, masks, images and report.html; or a mask, .tif or .npy, with --tiles.",
        ),
    ],
    recipe: RecipeFile = None,
    other_recipe: Annotated[
        bool, typer.Option(help="Use --recipe although the model was made with another one.")
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    threads: Workers = None,
    on_error: Annotated[
        OnError, typer.Option(help="List a bad file and continue, or stop at it.")
    ] = "quarantine",
    max_bad: Annotated[
        str,
        typer.Option(
            help="Files set aside that are tolerated: a share such as 5%, or a number. One more: status 1."
        ),
    ] = "50%",
    postprocess: Annotated[
        Path | None,
        typer.Option(help="A recipe of result steps for masks, instead of the one saved in the model."),
    ] = None,
    outputs: Annotated[
        Outputs | None, typer.Option(help="What the model outputs, where its last layer leaves it open.")
    ] = None,
    threshold: Annotated[
        float, typer.Option(help="For multilabel models: classes above it are labels.")
    ] = 0.5,
    masks: Annotated[
        Path | None,
        typer.Option(
            help="A folder of true masks with the images' names, to measure the predicted ones against."
        ),
    ] = None,
    pad_to: Annotated[
        str | None,
        typer.Option(
            help="Extend images to a multiple of this, or of what the model takes: auto; cut off again."
        ),
    ] = None,
    color: Annotated[
        Color | None, typer.Option(help="How images are read, instead of as the model takes them.")
    ] = None,
    tta: Annotated[
        TestTimeVariants | None,
        typer.Option(
            help="Ask the model about variants of each image, too: mirrored, or all symmetries of a square."
        ),
    ] = None,
    merge: Annotated[Merge, typer.Option(help="How the answers to variants become one.")] = "mean",
    raw: Annotated[
        bool, typer.Option(help="Also write all outputs of the model, as it gives them: raw/NAME.npz.")
    ] = False,
    tiles: TilesOption = None,
    overlap: OverlapOption = "auto",
    blend: BlendOption = "gaussian",
    strict: Strict = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Predict classes, labels, numbers or masks, with the recipe saved in the model, on the original images."""
    import offgraph as og
    from offgraph.frameworks.quiet import load_tensorflow
    from offgraph.inference.model_source import source_for

    if model.is_file():
        load_tensorflow("keras")
    saved = og.load(model)
    predictor = {
        "recipe": None if recipe is None else og.Compose.from_yaml(recipe),
        "other_recipe": other_recipe,
        "batch_size": batch_size,
        "threads": threads,
        "on_error": on_error,
        "postprocess": None if postprocess is None else og.Compose.from_yaml(postprocess),
        "outputs": outputs,
        "threshold": threshold,
        "pad_to": numbers(pad_to),
        "tta": tta,
        "merge": merge,
        "tiles": numbers(tiles),
        "overlap": numbers(overlap),
        "blend": blend,
    }
    if is_mask_file(out):
        typer.echo(
            _shown(predict_to_file(og.Predictor(saved, **predictor), source, out, reading.get("axes")))
        )
        return
    if color is not None:
        reading["color"] = color
    predictions = og.predict(
        saved,
        source_for(saved, source, masks=masks, **reading),
        **predictor,
    )
    report = og.save_predictions(predictions, out, max_bad=max_bad, raw=raw)
    typer.echo(_shown(report.summary()))
    if report.too_many is not None:
        raise typer.Exit(1)
    if strict and report.quarantined:
        raise typer.Exit(3)


@app.command()
@opens_source
def doctor(
    path: Annotated[
        Path | None,
        typer.Argument(help="A folder of images, a CSV, or one file; may be left out with --recipe."),
    ] = None,
    recipe: RecipeFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Threads.")] = 2,
    color: ColorOption = "rgb",
    strict: Annotated[
        bool,
        typer.Option(
            help="Exit with status 3 when a file, the source as a whole, or the recipe cannot be used."
        ),
    ] = False,
    *,
    reading: dict[str, Any],
) -> None:
    """List files that a loader cannot use with these options, or that are odd, and what in a recipe is probably not meant."""
    from rich.console import Console

    import offgraph as og
    from offgraph.core.tables import dumps

    if path is None:
        if recipe is None:
            raise typer.BadParameter("name a folder of images, or a recipe by --recipe")
        _lint(recipe, as_json=as_json, strict=strict)
        return
    report = og.doctor(path, recipe, workers=workers, color=color, **reading)
    if as_json:
        typer.echo(dumps(report.to_json(), indent=1))
    else:
        findings = tuple(replace(one, said=as_options(one.said)) for one in report.findings)
        replace(report, findings=findings).render(Console())
    if strict and (report.bad or report.refused or any(one.fails for one in report.recipe)):
        raise typer.Exit(3)


def _lint(path: Path, *, as_json: bool, strict: bool) -> None:
    """Look at a recipe alone: for colour images of 8 bits, if it takes such images."""
    from rich.console import Console

    import offgraph as og
    from offgraph.core.specs import OpenSpec
    from offgraph.core.tables import dumps
    from offgraph.inspection.file_checks import render_recipe

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", og.OffgraphWarning)  # hints of its steps are among the findings
        recipe = og.Compose.from_yaml(path)
    findings = recipe.lint(OpenSpec((None, None, 3), "uint8", "YXC"))
    looked = "for colour images of 8 bits; name a folder of images to look at it for those"
    if any(one.rule == "refused" for one in findings):
        findings, looked = recipe.lint(), "for any image; name a folder of images to look at it for those"
    if as_json:
        typer.echo(dumps({"recipe": [one.to_json() for one in findings]}, indent=1))
    else:
        if findings:
            render_recipe(findings, Console())
        typer.echo(
            f"{len(recipe.steps)} steps, {len(findings) or 'no'} finding{'s' * (len(findings) != 1)}, {looked}"
        )
    if strict and any(one.fails for one in findings):
        raise typer.Exit(3)


app.command("audit")(audit)
app.command("bench")(opens_source(bench))
app.command("convert")(convert)
app.command("report")(opens_source(report))
app.command("skew")(opens_source(skew))
app.command("steps")(steps)


def _plain_warning(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> str:
    """Format a warning as one line, without the line of code that issued it."""
    return f"offgraph: warning: {_shown(as_options(str(message)))}\n"


def _shown(text: object) -> str:
    """Lines of text, safe for a terminal: file names may hold control characters."""
    from offgraph.sources.names import printable

    return "\n".join(printable(line) for line in str(text).split("\n"))


def _any_terminal() -> None:
    """Let a terminal of another encoding show an escape for a character that it lacks, instead of ending the run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@app.callback()
def _options(
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", help="Show where an error arose, with all of its causes (or OFFGRAPH_DEBUG=1)."
        ),
    ] = False,
) -> None:
    """Declared here for --help; `main` reads it anywhere on the command line."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line.

    An error becomes one line on standard error: one of Offgraph's own with status 1, any other, which is a bug, with
    status 70. ``--debug`` or ``OFFGRAPH_DEBUG=1`` shows the full traceback.
    """
    from offgraph.core.errors import OffgraphError

    given = sys.argv[1:] if arguments is None else list(arguments)
    options = given[: given.index("--")] if "--" in given else given
    debug = "--debug" in options or os.environ.get("OFFGRAPH_DEBUG", "0") not in ("", "0")
    given = [text for place, text in enumerate(given) if text != "--debug" or place >= len(options)]
    shown = warnings.formatwarning
    warnings.formatwarning = _plain_warning
    _any_terminal()
    try:
        app(args=given)
    except OffgraphError as error:
        if debug:
            raise
        typer.echo(f"offgraph: {_shown(as_options(str(error)))}", err=True)
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        cause = " ".join(str(error).split())
        typer.echo(
            f"offgraph: unexpected {type(error).__name__}{': ' if cause else ''}{_shown(cause[:300])}; this is a fault of "
            "Offgraph, or of a library that it uses; add --debug to see where, and please report it",
            err=True,
        )
        sys.exit(70)
    finally:
        warnings.formatwarning = shown


if __name__ == "__main__":
    main()
