"""Recipes as files: to and from YAML and JSON."""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import yaml
from pydantic import ValidationError
from pydantic_core import ArgsKwargs
from yaml.composer import Composer
from yaml.resolver import BaseResolver

from offgraph import postprocess, transforms  # noqa: F401  each step enters STEPS when its file is imported
from offgraph.core.arguments import path_of, refuse_endless
from offgraph.core.choices import Decoding
from offgraph.core.errors import OffgraphWarning, RecipeError
from offgraph.core.suggestions import did_you_mean
from offgraph.recipe.identity import FORMAT
from offgraph.recipe.layers import Augment, is_of_the_loader
from offgraph.steps.base import STEPS, Step, positional_names
from offgraph.steps.declaration import explain
from offgraph.steps.registry import find_step
from offgraph.steps.structure import StructureStep

if TYPE_CHECKING:
    from offgraph.recipe.compose import Compose

__all__ = ["STEPS", "read_dict", "read_yaml", "recipe_line", "to_dict", "to_yaml"]

_MAX_BYTES = 1 << 20
_MAX_DEPTH = 20
_MAX_EVENTS = 20_000
"""Entries of a recipe file; PyYAML reads twenty thousand in a second."""
_MAX_PROBLEMS = 20
"""Problems that one message names."""
_Path = tuple[str | int, ...]


# Compose → plain values


def to_dict(recipe: Compose, *, defaults: bool = True) -> dict[str, Any]:
    """Return a recipe as plain JSON values; without `defaults`, only what differs from them."""
    entry = _whole_entry if defaults else _short_entry
    steps = [
        {"Augment": [entry(step) for step in item.steps]} if isinstance(item, Augment) else entry(item)
        for item in recipe.items
    ]
    head: dict[str, Any] = {"offgraph": FORMAT}
    if defaults or not recipe.fuse:
        head["fuse"] = recipe.fuse
    if recipe.decode != "window":
        head["decode"] = recipe.decode
    return {**head, "steps": steps}


def _whole_entry(step: Step) -> dict[str, Any]:
    return {step.name: step.fields()}


def _short_entry(step: Step) -> dict[str, Any] | str:
    """Without defaults, also in the steps that it is made of."""
    changed: dict[str, Any] = {}
    for name, value in step.fields().items():
        held = getattr(step, name)
        if held == step.default(name):
            continue
        is_nested = isinstance(held, tuple) and any(isinstance(part, Step) for part in held)
        changed[name] = [_short_entry(part) for part in held] if is_nested else value
    return {step.name: changed} if changed else step.name


def recipe_line(step: Step) -> str:
    """Return a step as a recipe file has it, on one line: ``"- Rotate: {angle: 30.0}"``; defaults are left out."""
    text = yaml.dump(
        [_short_entry(step)], Dumper=_Dumper, sort_keys=False, default_flow_style=True, width=10_000
    )
    return f"- {text.strip()[1:-1].removeprefix('{').removesuffix('}')}"


def to_yaml(recipe: Compose, path: str | Path | None = None) -> str:
    """Return a recipe as YAML, and write it to `path` where one is given; defaults are left out.

    Raises
    ------
    RecipeError
        Where it cannot be written.
    """
    data = to_dict(recipe, defaults=False)
    text = yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, default_flow_style=None, allow_unicode=True, width=100
    )
    if path is not None:
        written = path_of("path", path)
        try:
            written.write_text(text, encoding="utf-8")
        except OSError as error:
            raise RecipeError(f"{path}: the recipe cannot be written: {error.strerror or error}") from error
    return text


class _Dumper(yaml.SafeDumper):
    """Writes block lists of steps with their parameters on one line, and quotes what would read as a number."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(_scalar(text), str) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


# plain values → Compose


def read_dict(
    data: Any, *, source: str = "recipe", lines: Mapping[_Path, int] | None = None, fuse: bool = False
) -> tuple[list[Step | Augment], dict[str, Any]]:
    """Return the items of a recipe given as plain values, and its options, as `Compose` takes them.

    Parameters
    ----------
    data : dict
        ``{"offgraph": 1, "steps": [{"Resize": {"size": [224, 224]}}, …]}``.
    source : str
        What messages call it: the file's name.
    lines : mapping, optional
        Line number of each path inside `data`.
    fuse : bool
        Whether operations are fused where `data` does not say: `to_dict` always does, but did not before there was fusion.

    Raises
    ------
    RecipeError
        Naming every step and field that is wrong.
    """
    refuse_endless(data, source, depth=_MAX_DEPTH, most=_MAX_EVENTS, what="recipe")
    reader = _Reader(source, lines or {})
    steps = reader.document(data)
    items: list[Step | Augment] = []
    for position, entry in enumerate(steps):
        path: _Path = ("steps", position)
        name, value = reader.entry(entry, path)
        if name == "Augment":
            items.append(Augment(*reader.group(value, (*path, name), name)))
        elif name is not None and (step := reader.step(name, value, (*path, name))) is not None:
            items.append(step)
    if reader.problems:
        more = len(reader.problems) - _MAX_PROBLEMS
        shown = reader.problems[:_MAX_PROBLEMS] + [f"{source}: and {more} problems more"] * (more > 0)
        raise RecipeError("\n".join(shown))
    return items, {"fuse": fuse} | {name: data[name] for name in ("fuse", "decode") if name in data}


class _Reader:
    """Collects every problem of a recipe, so that one reading names them all."""

    def __init__(self, source: str, lines: Mapping[_Path, int]) -> None:
        self.source = source
        self.lines = lines
        self.problems: list[str] = []

    def complain(self, path: _Path, message: str) -> None:
        line = next((self.lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in self.lines), None)
        where = self.source if line is None else f"{self.source}, line {line}"
        if line is None and len(path) > 1:
            where += f", step {'.'.join(str(part + 1) for part in path if isinstance(part, int))}"
        self.problems.append(f"{where}: {message}")

    def document(self, data: Any) -> list[Any]:
        if not isinstance(data, Mapping) or not isinstance(data.get("steps"), list):
            self.complain((), "a recipe has the keys 'offgraph: 1' and 'steps:' with a list of steps")
            return []
        known = ("offgraph", "fuse", "decode", "steps")
        for key in data:
            if key not in known:
                self.complain((key,), f"unknown key {key!r:.60}{did_you_mean(str(key), known)}")
        if not isinstance(data.get("fuse", True), bool):
            self.complain(("fuse",), f"fuse is true or false, got {data['fuse']!r:.40}")
        if (decode := data.get("decode", "window")) not in get_args(Decoding):
            self.complain(("decode",), f"decode is window, full or scaled, got {decode!r:.40}")
        if "offgraph" not in data:
            self.complain((), f"a recipe begins with the line 'offgraph: {FORMAT}', which is missing")
        elif (form := data["offgraph"]) != FORMAT or isinstance(form, bool):
            self.complain(
                ("offgraph",), f"this Offgraph reads 'offgraph: {FORMAT}', the recipe says {form!r:.40}"
            )
        return data["steps"]

    def entry(self, entry: Any, path: _Path) -> tuple[str | None, Any]:
        if isinstance(entry, str):
            return entry, None
        if isinstance(entry, Mapping) and len(entry) == 1 and isinstance(name := next(iter(entry)), str):
            return name, entry[name]
        self.complain(path, f"a step is written 'Name: {{field: value}}' or 'Name: value', got {entry!r:.80}")
        return None, None

    def group(self, value: Any, path: _Path, owner: str) -> list[Step]:
        if not isinstance(value, list):
            self.complain(path, f"{owner} takes a list of steps, got {value!r:.80}")
            return []
        steps: list[Step] = []
        for position, entry in enumerate(value):
            name, fields = self.entry(entry, (*path, position))
            if name == "Augment":
                self.complain(
                    (*path, position),
                    f"Augment stands in the list of steps, not inside {'another ' * (owner == name)}{owner}",
                )
            elif name is not None and (step := self.step(name, fields, (*path, position, name))) is not None:
                steps.append(step)
        return steps

    def step(self, name: str, fields: Any, path: _Path) -> Step | None:
        cls = find_step(name)
        if cls is None:
            if is_of_the_loader(name):
                self.complain(
                    path,
                    f"{name} mixes images of a batch and is no step: Loader(…, mix=og.{name}(…)) takes it",
                )
                return None
            near = did_you_mean(name, (*STEPS, "Augment"))
            known = f"; known are {', '.join(sorted(STEPS))}; a custom step needs @og.register, and its module has to be imported, or named by an installed package as an entry point of offgraph.steps"
            self.complain(path, f"unknown step {name!r:.60}{near or known}")
            return None
        if issubclass(cls, StructureStep):
            known_problems = len(self.problems)
            fields = self.nested(cls, fields, path)
            if len(self.problems) > known_problems:
                return None
        if fields is None or isinstance(fields, Mapping):
            given = ArgsKwargs((), dict(fields or {}))
        else:  # the first parameter alone, as in Rotate(30)
            given = ArgsKwargs((fields,))
        try:
            built: Step = cls.__new__(cls)
            cls.__pydantic_validator__.validate_python(given, self_instance=built)  # type: ignore[attr-defined]
        except ValidationError as error:
            for problem in error.errors():
                field, says = explain(problem, cls)
                where = f"step {name}, field {field}" if field else f"step {name}"
                self.complain((*path, field), f"{where}: {says}")
            return None
        for hint in built.hints():
            warnings.warn(f"{self.source}: {name}: {hint}", OffgraphWarning, stacklevel=5)
        return built

    def nested(self, cls: type[Step], fields: Any, path: _Path) -> Any:
        """Return the fields of a step that is made of others, with those steps in place of their entries."""
        if isinstance(fields, list) and positional_names(cls)[:1] == ("steps",):
            return self.group(fields, path, cls.__name__)
        if isinstance(fields, Mapping) and "steps" in fields:
            return {**fields, "steps": self.group(fields["steps"], (*path, "steps"), cls.__name__)}
        return fields


# YAML → plain values, without trust: only mappings, lists and scalars, no tags, no aliases


def read_yaml(path_or_text: str | Path) -> tuple[list[Step | Augment], dict[str, Any], str]:
    """Return the items of a recipe in a YAML or JSON file, or in a text: see `_is_text`.

    Also its options, with operations fused unless it says no, and the file's name.
    """
    if isinstance(path_or_text, str) and not path_or_text.strip(" \t"):
        raise RecipeError(
            f"path_or_text={path_or_text!r:.20}: the recipe is empty; give the path of a recipe file, or a text such as "
            "'{offgraph: 1, steps: [{Flip: X}]}'"
        )
    if isinstance(path_or_text, str) and _is_text(path_or_text):
        text, source = path_or_text, "recipe"
    else:
        source = str(path_of("path_or_text", path_or_text))
        text = _read(Path(path_or_text))
    if len(text) > _MAX_BYTES:
        raise RecipeError(f"{source}: larger than {_MAX_BYTES} characters; this is not a recipe")
    try:
        node = _Composer(_checked_events(text, source)).get_single_node()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = source if mark is None else f"{source}, line {mark.line + 1}"
        says = getattr(error, "problem", None) or str(error).split("\n")[0]
        raise RecipeError(f"{where}: not YAML: {says}") from None
    lines: dict[_Path, int] = {}
    return *read_dict(_value(node, (), lines, source), source=source, lines=lines, fuse=True), source


def _is_text(given: str) -> bool:
    """Whether a string is a recipe, and not the path of one: it has a line break, or reads like YAML and names no file."""
    if "\n" in given:
        return True
    like_yaml = ": " in given or given.lstrip().startswith("- ")
    if not like_yaml or given.endswith((".yaml", ".yml", ".json")):
        return False
    return not os.path.exists(given)  # noqa: PTH110 - Path.exists raises for names that are too long


def _read(path: Path) -> str:
    try:
        if not path.is_file():
            raise RecipeError(f"{path}: no such file" if not path.exists() else f"{path}: not a file")
        if path.stat().st_size > _MAX_BYTES:
            raise RecipeError(f"{path}: larger than {_MAX_BYTES} bytes; this is not a recipe")
        return path.read_text(encoding="utf-8-sig")
    except RecipeError:  # a ValueError as well
        raise
    except UnicodeDecodeError:
        raise RecipeError(f"{path}: not a text in UTF-8") from None
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path}: cannot be read: {error}") from None


class _Composer(Composer, BaseResolver):
    """Composes a document of events that are known already: parsing them is most of the work."""

    def __init__(self, events: list[yaml.Event]) -> None:
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self._events = events[::-1]

    def check_event(self, *kinds: type[yaml.Event]) -> bool:
        return bool(self._events) and isinstance(self._events[-1], kinds or yaml.Event)

    def peek_event(self) -> yaml.Event:
        return self._events[-1]

    def get_event(self) -> yaml.Event:
        return self._events.pop()


def _checked_events(text: str, source: str) -> list[yaml.Event]:
    """Refuse what a recipe has no use for before anything is built: aliases grow, deep nesting exhausts the stack."""
    depth, events = 0, list[yaml.Event]()
    for number, event in enumerate(yaml.parse(text, Loader=yaml.BaseLoader)):
        events.append(event)
        line = event.start_mark.line + 1
        if number > _MAX_EVENTS:
            raise RecipeError(f"{source}, line {line}: more than {_MAX_EVENTS} entries; this is not a recipe")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise RecipeError(f"{source}, line {line}: anchors and aliases (& and *) are not used in recipes")
        if getattr(event, "tag", None) not in (None, "!"):
            raise RecipeError(
                f"{source}, line {line}: the tag {event.tag:.80} is not used in recipes: plain values only"
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise RecipeError(f"{source}, line {line}: nested more than {_MAX_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return events


def _value(node: yaml.Node | None, path: _Path, lines: dict[_Path, int], source: str) -> Any:
    if node is None:
        return None
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_value(child, (*path, i), lines, source) for i, child in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key, child in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise RecipeError(f"{source}, line {line}: a key must be a plain word")
            if key.value in result:
                raise RecipeError(f"{source}, line {line}: {key.value!r:.60} is given twice")
            lines[(*path, key.value)] = line
            result[key.value] = _value(child, (*path, key.value), lines, source)
        return result
    assert isinstance(node, yaml.ScalarNode)  # the third and last kind of node
    return _scalar(node.value) if node.style is None else node.value


_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}


def _scalar(text: str) -> Any:
    """Read a plain scalar as JSON would: YAML 1.1 makes a text of 1e-3, false of `no` and 90 of 1:30."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 40 or not _NUMBER.fullmatch(text):
        return text
    number = float(text)
    if re.fullmatch(r"[-+]?\d+", text):
        return int(text)
    return number if math.isfinite(number) else text
