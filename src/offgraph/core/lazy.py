"""`lazy_property`: an attribute that is worked out when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

__all__ = ["lazy_property"]

_T = TypeVar("_T", covariant=True)


class lazy_property(Generic[_T]):  # named as the decorator that it is
    """`functools.cached_property` without the lock it takes before Python 3.12, which costs more than most values here.

    Two threads may both work a value out; the value must not depend on which of them does.
    """

    def __init__(self, work_out: Callable[[Any], _T]) -> None:
        self._work_out = work_out
        self.__doc__ = work_out.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> lazy_property[_T]: ...

    @overload
    def __get__(self, instance: object, owner: type | None = None) -> _T: ...

    def __get__(self, instance: object | None, owner: type | None = None) -> lazy_property[_T] | _T:
        if instance is None:
            return self
        value = self._work_out(instance)
        instance.__dict__[self._name] = value  # found there before this descriptor the next time
        return value
