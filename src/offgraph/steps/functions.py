"""A user's functions, known by name: recipes, records and fingerprints hold the name, and never any code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, overload

from offgraph.core.errors import ArgumentError
from offgraph.core.suggestions import did_you_mean
from offgraph.steps.parameters import Parsed

__all__ = ["FUNCTIONS", "FunctionSetting", "NamedFunction", "function"]


@dataclass(frozen=True)
class NamedFunction:
    """A function by its name: two of one name are equal.

    Parameters
    ----------
    name : str
    call : callable
    """

    name: str
    call: Callable[..., Any]

    def __call__(self, *args: Any) -> Any:
        return self.call(*args)

    def __eq__(self, other: object) -> bool:
        return self.name == other.name if isinstance(other, NamedFunction) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return repr(self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        return function, (self.name, self.call)


FUNCTIONS: dict[str, NamedFunction] = {}
"""Every function that a recipe of this program may name."""


@overload
def function(name: str) -> Callable[[Callable[..., Any]], NamedFunction]: ...
@overload
def function(name: str, call: Callable[..., Any]) -> NamedFunction: ...
def function(name: str, call: Callable[..., Any] | None = None) -> Any:
    r"""Give a function the name by which recipes know it, in Python and in files.

    Parameters
    ----------
    name : str
        Letters, digits and any of ``_.:-``, up to 200. A function that comes to do something else takes another name:
        the name is all that tells recipes apart.
    call : callable, optional
        The function; left out, what is returned decorates one.

    Returns
    -------
    NamedFunction
        Called as the function.

    Raises
    ------
    ArgumentError
        For a name of other characters, something that cannot be called, or a name that another function has.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> @og.function("halved")
    ... def halved(image):
    ...     return image // 2
    >>> recipe = og.Compose.from_yaml("offgraph: 1\nsteps: [{Lambda: halved}]\n")
    >>> recipe(image=np.array([[4, 6]], np.uint8)).image
    array([[2, 3]], dtype=uint8)
    """
    if (
        not isinstance(name, str)
        or not 0 < len(name) <= 200
        or not all(c.isalnum() or c in "_.:-" for c in name)
    ):
        raise ArgumentError(f"name={name!r:.80}: give letters, digits and any of _.:- , up to 200")
    if call is None:
        return lambda decorated: function(name, decorated)
    if not callable(call):
        raise ArgumentError(f"call={call!r:.80} is not a function")
    known = FUNCTIONS.get(name)
    if known is not None and not _is_same(known.call, call):
        raise ArgumentError(f"name={name!r}: {_home(known.call)} has this name; choose another one")
    FUNCTIONS[name] = made = NamedFunction(name, call)
    return made


def _home(call: Callable[..., Any]) -> str:
    kind = type(call)
    module = getattr(call, "__module__", kind.__module__)
    return f"{module}:{getattr(call, '__qualname__', kind.__qualname__)}"


def _is_same(one: Callable[..., Any], other: Callable[..., Any]) -> bool:
    """Whether a function is another, perhaps made again: a cell was run twice, or its module was loaded twice."""
    homes, files = {_home(one), _home(other)}, {_file(one), _file(other)}
    names = {home.rpartition(":")[2] for home in homes}
    return one is other or len(homes) == 1 or (len(names) == len(files) == 1 and None not in files)


def _file(call: Callable[..., Any]) -> str | None:
    code = getattr(call, "__code__", None)
    return None if code is None else code.co_filename


@dataclass(frozen=True)
class _Function(Parsed):
    def parse(self, value: Any) -> NamedFunction:
        if isinstance(value, NamedFunction):
            return value
        if isinstance(value, str):
            if value not in FUNCTIONS:
                raise ValueError(
                    f"no function {value!r:.80} is known; import the module that makes it known by og.function(name, function), "
                    f"or by Lambda(function), before the recipe is read{did_you_mean(value, FUNCTIONS)}"
                )
            return FUNCTIONS[value]
        if not callable(value):
            raise ValueError(f"expected a function, or the name of one, got {value!r:.80}")
        name = _home(value)
        if "<" in name or name.startswith("__main__"):
            raise ValueError(
                f"{name} cannot be found again by that name; write og.function('a name', the function)"
            )
        return function(name, value)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "maxLength": 200}


FunctionSetting = Annotated[NamedFunction, _Function()]
"""A function, or the name of one."""
