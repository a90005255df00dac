"""Errors that cross from one process to another."""

from __future__ import annotations

import errno
import pickle

import numpy as np
import pytest

import offgraph as og
from offgraph import errors as public
from offgraph.core import errors
from offgraph.core import errors as core

PLAIN = [
    kind
    for name in errors.__all__
    if (kind := getattr(errors, name)).__init__ is Exception.__init__
    and issubclass(kind, errors.OffgraphError)
]


def returned(error: Exception) -> Exception:
    return pickle.loads(pickle.dumps(error))


@pytest.mark.parametrize("kind", PLAIN, ids=lambda kind: kind.__name__)
def test_errors_come_back_from_another_process(kind: type[Exception]):
    back = returned(kind("a.png: what happened"))
    assert type(back) is kind and str(back) == "a.png: what happened"


@pytest.mark.parametrize("kind", [errors.WriteError, errors.MachineError], ids=lambda kind: kind.__name__)
def test_errors_of_the_system_keep_their_number(kind: type[errors.WriteError]):
    back = returned(kind("a.png: no room", OSError(errno.ENOSPC, "No space left on device")))
    assert (type(back), str(back), back.errno) == (kind, "a.png: no room", errno.ENOSPC)
    assert isinstance(back, OSError) and isinstance(back, og.OffgraphError)


def test_an_error_as_it_is_raised_comes_back(tmp_path):
    with pytest.raises(og.WriteError) as raised:
        og.imwrite(tmp_path / "missing" / "a.png", np.zeros((3, 3), np.uint8))
    assert str(returned(raised.value)) == str(raised.value)


def test_errors_have_a_public_address():
    assert set(public.__all__) == set(core.__all__)
    assert all(getattr(public, name) is getattr(core, name) for name in core.__all__)
