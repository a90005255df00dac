"""Audit scripts: point at the traps in plain SciPy and TensorFlow lines, without running them."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path

from offgraph.core.arguments import path_of
from offgraph.core.errors import ArgumentError, ScriptError
from offgraph.core.machine import is_machine, machine_error
from offgraph.inspection.scripts import array_rules, file_rules, framework_rules, ndimage_rules
from offgraph.inspection.scripts.calls import Notes, source_of
from offgraph.inspection.scripts.flow import follow
from offgraph.inspection.scripts.report import TRAPS, AuditReport, ScriptFinding

__all__ = ["audit"]

MAX_BYTES = 4 * 2**20
"""The longest script that is read."""

_SUFFIXES = (".py", ".ipynb")
_ORDER = {kind: place for place, kind in enumerate(TRAPS)}
_SHOW_COLOURS = {"tensorflow", "keras", "matplotlib", "PIL", "skimage", "torch", "imageio", "jax"}
_OF_IMAGES = _SHOW_COLOURS | {"scipy", "cv2", "tifffile", "sklearn", "offgraph", "tensorflow_addons"}
RULES = (array_rules, file_rules, framework_rules, ndimage_rules)
"""The modules of rules; each registers its own when it is imported."""


def audit(script: str | os.PathLike[str]) -> AuditReport:
    """Point at the traps in a script that preprocesses images with SciPy, NumPy, TensorFlow or OpenCV, line by line.

    The script is read, and never run or imported. Which names hold images, masks, colour images, values from 0 to 1 or
    radians is followed through its lines and functions; where that is not known, nothing is said.

    Parameters
    ----------
    script : path or str
        A script (``.py``), a notebook (``.ipynb``), or a folder, whose scripts and notebooks are read. A text with a line
        break is a script itself.

    Returns
    -------
    AuditReport
        ``findings``: file, line, kind of trap, what happens, and the Offgraph lines that mend it; ``recipe``: the script's
        transforms as one recipe. Printed, it is a line per finding.

    Raises
    ------
    ScriptError
        Where a script cannot be read: not Python 3, not UTF-8, over 4 MiB, or nested too deeply. Of a folder's scripts,
        such ones are in ``refused``.
    ArgumentError
        For anything that is no path and no text.

    Examples
    --------
    >>> import offgraph as og
    >>> report = og.audit('''
    ... import scipy.ndimage as ndi
    ... from skimage.data import chelsea
    ... cleaned = ndi.median_filter(chelsea(), size=3)
    ... ''')
    >>> print(report)
    <source>:4:11: channels-filtered: median_filter(size=3) takes 3×3×3: colours mix
        og.MedianFilter(3)  # spatial axes only
    <source>: 1 script, traps in 1 line: 1 channels-filtered
    """
    if isinstance(script, str) and "\n" in script:
        learnt = _audited("<source>", _Text(script))
        return AuditReport("<source>", 1, learnt.findings, learnt.steps)
    path = path_of("script", script)
    try:
        is_folder = path.is_dir()
    except ValueError as error:  # a null character in the path
        raise ArgumentError(f"script={str(script)!r:.80}: {error}") from None
    if not is_folder:
        learnt = _audited(str(path), _read(path))
        return AuditReport(str(path), 1, learnt.findings, learnt.steps)
    files = _scripts_of(path)
    findings: list[ScriptFinding] = []
    steps: list[str] = []
    refused: dict[str, str] = {}
    for file in files:
        name = file.relative_to(path).as_posix()
        try:
            learnt = _audited(name, _read(file))
        except ScriptError as error:
            refused[name] = str(error).removeprefix(f"{file}: ").removeprefix(f"{name}: ")
            continue
        findings += learnt.findings
        steps += learnt.steps
    return AuditReport(str(path), len(files) - len(refused), tuple(findings), tuple(steps), refused)


@dataclass(frozen=True)
class _Text:
    """A script, and of a notebook where each of its lines stands: (number of the cell, line in it)."""

    source: str
    places: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True)
class _Learnt:
    findings: tuple[ScriptFinding, ...]
    steps: tuple[str, ...]


def _scripts_of(folder: Path) -> list[Path]:
    """The scripts and notebooks of a folder, in the order of their names; hidden folders are left out."""
    files = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        files += [Path(root, name) for name in sorted(names) if name.lower().endswith(_SUFFIXES)]
    return files


# Reading ------------------------------------------------------------------------------------------------------------


def _read(path: Path) -> _Text:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        if is_machine(error):
            raise machine_error(str(path), error) from error
        raise ScriptError(f"{path}: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise ScriptError(f"{path}: longer than {MAX_BYTES // 2**20} MiB; audit its parts")
    if path.suffix.lower() == ".ipynb":
        return _notebook(str(path), data)
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return _Text(data.decode(encoding))
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise ScriptError(
            f"{path}: not a text in UTF-8, nor in an encoding that its first lines name"
        ) from error


def _notebook(name: str, data: bytes) -> _Text:
    """The code cells of a notebook as one script; magics and shell commands become `pass`."""
    try:
        cells = json.loads(data.decode("utf-8"))["cells"]
        lines: list[str] = []
        places: list[tuple[int, int]] = []
        for number, cell in enumerate(cells, 1):
            if cell["cell_type"] != "code":
                continue
            source = cell["source"]
            text = source if isinstance(source, str) else "".join(source)
            if text.lstrip().startswith("%%") and not re.match(r"\s*%%(time|timeit|capture)\b", text):
                continue
            for line, code in enumerate(text.split("\n"), 1):
                lines.append(_without_magic(code))
                places.append((number, line))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ScriptError(f"{name}: not a Jupyter notebook of format 4") from error
    return _Text("\n".join(lines), tuple(places))


def _without_magic(line: str) -> str:
    magic = re.match(r"(\s*)[%!?]", line)
    if magic:
        return f"{magic.group(1)}pass"
    return re.sub(r"^(\s*\w+\s*=)\s*[!%].*$", r"\1 None", line)


def _parsed(name: str, text: _Text) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as invalid escapes in texts
            return ast.parse(text.source)
    except SyntaxError as error:
        line = error.lineno or 1
        where = f"{name}:{line}"
        if text.places and line <= len(text.places):
            where = "{}:cell {}:{}".format(name, *text.places[line - 1])
        raise ScriptError(f"{where}: not Python 3: {error.msg}") from error
    except (RecursionError, MemoryError) as error:
        raise ScriptError(f"{name}: nested too deeply to be read") from error
    except ValueError as error:  # null characters
        raise ScriptError(f"{name}: not Python 3: {error}") from error


# Findings -----------------------------------------------------------------------------------------------------------


def _audited(name: str, text: _Text) -> _Learnt:
    tree = _parsed(name, text)
    try:
        notes = follow(tree)
        _as_a_whole(notes, tree)
    except RecursionError as error:
        raise ScriptError(f"{name}: nested too deeply to be followed") from error
    best: dict[tuple[int, int, str], ScriptFinding] = {}
    for node, kind, said, mend, sure in notes.found:
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
        cell = None
        if text.places:
            cell, shown = text.places[line - 1]
        else:
            shown = line
        finding = ScriptFinding(name, shown, column, kind, said, mend.replace("…", "..."), sure, cell)
        known = best.get((line, column, kind))
        if known is None or (sure and not known.sure):
            best[line, column, kind] = finding
    order = sorted(best, key=lambda key: (key[0], key[1], _ORDER[key[2]]))
    steps = {(getattr(node, "lineno", 1), getattr(node, "col_offset", 0)): step for node, step in notes.steps}
    return _Learnt(
        tuple(best[key] for key in order), tuple(steps[place].replace("…", "...") for place in sorted(steps))
    )


def _as_a_whole(notes: Notes, tree: ast.Module) -> None:
    """Add what only the whole script shows, and drop what another of its lines mends."""
    left_out = set()
    if "exif" in notes.seen:
        left_out.add("exif")
    imported = _imported(tree)
    if "rgb" in notes.seen or not _SHOW_COLOURS & imported:
        left_out.add("bgr")
    if not _OF_IMAGES & imported:
        left_out.add("unseeded")
    notes.found[:] = [each for each in notes.found if each[1] not in left_out]
    for source, seed in (
        ("numpy", "np.random.seed"),
        ("python", "random.seed"),
        ("tensorflow", "tf.random.set_seed"),
    ):
        nodes = list(dict.fromkeys(node for drawn, node in notes.random if drawn == source))
        if nodes and source not in notes.seeded and "unseeded" not in left_out:
            first = min(nodes, key=lambda node: (getattr(node, "lineno", 0), getattr(node, "col_offset", 0)))
            more = "" if len(nodes) == 1 else f", and {len(nodes) - 1} more"
            said = f"{source_of(first)}{more}: drawn without {seed} or seed=, so no run can be repeated"
            mend = "og.Loader(…, seed=7)  # every draw comes from (seed, epoch, index)"
            notes.found.append((first, "unseeded", said, mend, True))
    _pairs_by_order(notes)
    _skew(notes)


def _imported(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def _pairs_by_order(notes: Notes) -> None:
    """Masks that are listed beside images, each in an order that the file system chooses."""
    listings = {node: masks for node, masks in notes.listings if node not in notes.ordered}
    if "sorted" in notes.seen or any(kind == "unsorted" for _, kind, *_ in notes.found):
        return
    masks = [node for node, is_masks in listings.items() if is_masks]
    if masks and len(listings) > len(masks):
        said = f"{source_of(masks[0])} lists files in the order of the file system: pairs may not match"
        mend = 'og.open_source("images/", masks="masks/")  # paired by name'
        notes.found.append((masks[0], "unsorted", said, mend, False))  # unless they are paired by name


def _skew(notes: Notes) -> None:
    """Values that are divided by 255 for training and not for prediction, or the other way round."""
    trained = {value.scaled for _, value in notes.fitted if value.scaled is not None}
    if len(trained) != 1:
        return
    (scaled,) = trained
    for node, value in notes.predicted:
        if value.scaled is not None and value.scaled is not scaled:
            learnt, given = ("0 to 1", "0 to 255") if scaled else ("0 to 255", "0 to 1")
            said = f"{source_of(node)}: the model learnt from values of {learnt}, and is given {given}"
            mend = 'og.save(model, recipe, "model.keras")  # og.predict("model.keras", "new/") then prepares alike'
            notes.found.append((node, "skew", said, mend, True))
