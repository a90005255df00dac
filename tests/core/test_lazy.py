"""`lazy_property`: worked out once, per instance."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

from offgraph.core.lazy import lazy_property
from offgraph.core.specs import ArraySpec, OpenSpec


class Counted:
    times = 0

    @lazy_property
    def value(self) -> int:
        """How often it was worked out."""
        self.times += 1
        return self.times


def test_a_lazy_property_is_worked_out_once_for_each_instance():
    one, other = Counted(), Counted()
    assert (one.value, one.value, other.value, one.times, other.times) == (1, 1, 1, 1, 1)
    assert Counted.value.__doc__ == "How often it was worked out."


def test_specs_compare_by_value_and_hash_alike():
    assert ArraySpec((2, 3), "uint8", "YX") == ArraySpec((2, 3), "uint8", "YX")
    assert len({ArraySpec((2, 3), "uint8", "YX"), ArraySpec((2, 3), "uint8", "YX")}) == 1
    assert len({OpenSpec((None, 3), "uint8", "YX"), OpenSpec((2, 3), "uint8", "YX")}) == 2


def test_a_pickled_spec_takes_no_hash_along():
    """The hash of a text is another one in another process: a spec that kept it would be found in no table there."""
    spec = ArraySpec((2, 3), "uint8", "YX")
    hash(spec)
    code = (
        "import pickle, sys; from offgraph.core.specs import ArraySpec\n"
        f"found = pickle.loads(bytes.fromhex({pickle.dumps(spec).hex()!r}))\n"
        "assert found in {ArraySpec((2, 3), 'uint8', 'YX')} and found.size == (2, 3)"
    )
    for seed in ("1", "2"):
        subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONHASHSEED": seed})
