"""The command line: every command is a few lines over public names.

Exit status: 0 done, 1 an error (one line on standard error), 2 wrong usage, 3 done but with files set aside, or traps
found by ``audit`` or steps without an equal by ``convert``, under ``--strict``, 70 a bug in the program.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, cast

import typer
import typer.core

from offgraph.apps.arguments import (
    ColorOption,
    MaxBad,
    OnErrorOption,
    RecipeFile,
    Seed,
    Source,
    Strict,
    Workers,
    for_terminal,
)
from offgraph.apps.audit_command import audit
from offgraph.apps.bench_command import bench
from offgraph.apps.choose_tta_command import choose_tta
from offgraph.apps.convert_command import convert
from offgraph.apps.doctor_command import doctor
from offgraph.apps.model_options import asks_comparison, asks_model, asks_variants
from offgraph.apps.predict_command import predict
from offgraph.apps.report_command import report
from offgraph.apps.shared_options import writable_file
from offgraph.apps.skew_command import skew
from offgraph.apps.source_options import (
    AxesOption,
    PageOption,
    as_options,
    opens_source,
    opens_source_of_model,
)
from offgraph.apps.steps_command import steps
from offgraph.apps.verify_command import verify
from offgraph.core.choices import (
    ArrayEncoding,
    Compression,
    NonFinite,
    Store,
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
    on_error: OnErrorOption = "quarantine",
    max_bad: MaxBad = "50%",
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
    typer.echo(for_terminal(report.summary()))
    if strict and report.quarantined:
        raise typer.Exit(3)


@app.command()
@opens_source
def preview(
    source: Source,
    recipe: RecipeFile = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The HTML page to write.", callback=writable_file)
    ] = Path("preview.html"),
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
    typer.echo(for_terminal(f"wrote {written}"))


@app.command()
def compare(
    image: Annotated[Path, typer.Argument(help="The image to look at.")],
    vary: Annotated[list[str], typer.Option("--vary", help="STEP.field=a,b,c; may be given several times.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The HTML page to write.", callback=writable_file)
    ] = Path("compare.html"),
    recipe: RecipeFile = None,
    color: ColorOption = "rgb",
    axes: AxesOption = None,
    page: PageOption = None,
) -> None:
    """Show one image under several settings side by side, with differences and times."""
    import offgraph as og

    written = og.compare(image, vary, out, recipe=recipe, color=color, axes=axes, page=page)
    typer.echo(for_terminal(f"wrote {written}"))


app.command("audit")(audit)
app.command("bench")(opens_source(bench))
app.command("choose-tta")(opens_source_of_model(asks_variants(choose_tta)))
app.command("convert")(convert)
app.command("doctor")(opens_source(doctor))
app.command("predict")(opens_source_of_model(asks_model(predict)))
app.command("report")(opens_source_of_model(asks_model(report)))
app.command("skew")(opens_source_of_model(asks_comparison(skew)))
app.command("steps")(steps)
app.command("verify")(verify)


def _plain_warning(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> str:
    """Format a warning as one line, without the line of code that issued it."""
    return f"offgraph: warning: {for_terminal(as_options(str(message)))}\n"


def _any_terminal() -> None:
    """Let a terminal of another encoding show an escape for a character that it lacks, instead of ending the run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _version(asked: bool) -> None:
    if asked:
        import offgraph as og

        typer.echo(f"offgraph {og.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and stop.")
    ] = False,
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
        typer.echo(f"offgraph: {for_terminal(as_options(str(error)))}", err=True)
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        cause = " ".join(str(error).split())
        typer.echo(
            f"offgraph: unexpected {type(error).__name__}{': ' if cause else ''}{for_terminal(cause[:300])}; this is a fault of "
            "Offgraph, or of a library that it uses; add --debug to see where, and please report it",
            err=True,
        )
        sys.exit(70)
    finally:
        warnings.formatwarning = shown


if __name__ == "__main__":
    main()
