"""Files and plain values of other libraries, read without trust: no code, no tags, bounded size and depth."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from offgraph.core.arguments import path_of, refuse_endless
from offgraph.core.errors import RecipeError

__all__ = ["opened", "read_values"]

MAX_BYTES = 4 << 20
MAX_VALUES = 100_000
"""Values of a file, each alias counted where it stands."""
MAX_DEPTH = 60
_PLAIN_TAGS = ("tag:yaml.org,2002:python/tuple", "!")
"""Tags that change nothing: a tuple is a list here."""


def read_values(path: str | Path) -> Any:
    """Return what a JSON or YAML file holds, as plain values.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    RecipeError
        Naming the file, and its line where it is not YAML or more than plain values.
    """
    file = path_of("path", path)
    if "\n" in str(path) or file.suffix in (".py", ".ipynb"):
        what = "a text of several lines" if "\n" in str(path) else f"{file}: a script"
        raise RecipeError(
            f"{what}, and code is not run here: give the pipeline itself where the script makes it, such as the Compose, or a "
            "JSON or YAML file of it"
        )
    try:
        if not file.is_file():
            raise RecipeError(f"{file}: no such file" if not file.exists() else f"{file}: not a file")
        if file.stat().st_size > MAX_BYTES:
            raise RecipeError(f"{file}: larger than {MAX_BYTES} bytes; this is not a pipeline")
        text = file.read_text(encoding="utf-8-sig")
    except RecipeError:
        raise
    except UnicodeDecodeError:
        raise RecipeError(f"{file}: not a text in UTF-8") from None
    except (OSError, ValueError) as error:
        raise RecipeError(f"{file}: cannot be read: {error}") from None
    values = _parsed(text, str(file))
    if not isinstance(values, dict | list):
        raise RecipeError(f"{file}: not a pipeline: expected a list or a mapping, got {values!r:.40}")
    _check(values, str(file))
    return values


def opened(given: Any, source: str) -> tuple[Any, str]:
    """Return what a function of this package was given, a file's values for its path; and what messages call it.

    Raises
    ------
    RecipeError
        As `read_values` does, and for values nested too deeply, or so many that no pipeline holds them.
    """
    if isinstance(given, str | Path):
        return read_values(given), str(given)
    _check(given, source)
    return given, source


def _check(values: Any, source: str) -> None:
    refuse_endless(values, source, depth=MAX_DEPTH, most=MAX_VALUES, what="pipeline")


def _parsed(text: str, source: str) -> Any:
    if text.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(text)
        except RecursionError:
            raise RecipeError(
                f"{source}: nested more than {MAX_DEPTH} deep; this is not a pipeline"
            ) from None
        except ValueError:
            pass  # YAML may be written in braces too
    try:
        return _Builder(source).build(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = source if mark is None else f"{source}, line {mark.line + 1}"
        says = getattr(error, "problem", None) or str(error).split("\n")[0]
        raise RecipeError(f"{where}: neither JSON nor YAML: {says}") from None
    except RecursionError:
        raise RecipeError(f"{source}: nested more than {MAX_DEPTH} deep; this is not a pipeline") from None


class _Builder:
    """Builds values from YAML's events: no constructors run, an alias is the value that it names."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.open: list[tuple[list[Any] | dict[str, Any], list[str], str | None]] = []
        self.named: dict[str, Any] = {}
        self.whole: Any = None

    def build(self, text: str) -> Any:
        for number, event in enumerate(yaml.parse(text, Loader=yaml.BaseLoader)):
            line = event.start_mark.line + 1
            if number > MAX_VALUES:
                raise RecipeError(
                    f"{self.source}, line {line}: more than {MAX_VALUES} entries; this is not a pipeline"
                )
            self._take(event, line)
        return self.whole

    def _take(self, event: yaml.Event, line: int) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _PLAIN_TAGS:
            raise RecipeError(f"{self.source}, line {line}: the tag {tag:.80} is not read: plain values only")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.named:
                raise RecipeError(
                    f"{self.source}, line {line}: *{event.anchor} names nothing that ended before"
                )
            self._add(self.named[event.anchor], None, line)
        elif isinstance(event, yaml.ScalarEvent):
            value = event.value if event.style else _scalar(event.value)
            self._add(value, event.anchor, line)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(self.open) >= MAX_DEPTH:
                raise RecipeError(f"{self.source}, line {line}: nested more than {MAX_DEPTH} deep")
            new: list[Any] | dict[str, Any] = [] if isinstance(event, yaml.SequenceStartEvent) else {}
            self.open.append((new, [], event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            ended, _, anchor = self.open.pop()
            self._add(ended, anchor, line)

    def _add(self, value: Any, anchor: str | None, line: int) -> None:
        if anchor is not None:
            self.named[anchor] = value
        if not self.open:
            self.whole = value
            return
        parent, keys, _ = self.open[-1]
        if isinstance(parent, list):
            parent.append(value)
        elif keys:
            parent[keys.pop()] = value
        elif isinstance(value, str | int | float):
            keys.append(str(value))
        else:
            raise RecipeError(f"{self.source}, line {line}: a key must be a plain word")


_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 60:
        return text
    if re.fullmatch(r"[-+]?\d+", text):
        return int(text)
    return float(text) if re.fullmatch(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", text) else text
