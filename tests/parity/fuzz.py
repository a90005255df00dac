"""Calls with arguments that nobody means: any exception is an answer, a crash or a panic is not.

    python -m tests.parity.fuzz --cases 1200 --seed 1 --seconds 10

Ours alone is called: SciPy does not survive these. The same seed gives the same calls; the last one that was begun is in
the file of `--log`.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided
from tests.parity.calls.binary import FLOODS, PASSES
from tests.parity.calls.call import Call
from tests.parity.calls.every import FUNCTIONS, calls

from offgraph import ndimage
from offgraph.core.threads import num_threads

HUGE = 2**62
NO_NUMBERS = (np.nan, np.inf, -np.inf)
WORDS = (None, "x", "", 1j, [], object())
ANY = (*NO_NUMBERS, *WORDS, -1, HUGE, -HUGE, 2**70, 1e300, -1e300)
TABLES = (
    [],
    [[]],
    [np.nan],
    [np.inf, 1],
    np.zeros((0, 3)),
    np.ones((1, 1, 1, 1, 1)),
    np.array(["a"]),
    np.zeros(3, "O"),
)

# Nothing here asks for much memory or many passes, only for what cannot be.
WILD: dict[str, tuple[Any, ...]] = {
    "zoom": (*NO_NUMBERS, *WORDS, 0, -1, 1e-300, 1e300, [1], [np.nan] * 3, [0, 1, 0]),
    "shift": (*ANY, [np.nan] * 3, [np.inf, 0], [HUGE, 0, 0], [1e18] * 2),
    "angle": (*ANY, 1e18),
    "axes": (*WORDS, 0, -1, 99, HUGE, (0, 0), (0, 99), (0, -1), (1, 0), (), (0.5,)),
    "axis": (*WORDS, 99, -99, HUGE, 0.5),
    "matrix": (
        *TABLES,
        np.full((2, 2), np.nan),
        np.full((3, 3), 1e300),
        np.full(2, np.inf),
        np.zeros((3, 3)),
        5,
    ),
    "offset": (*ANY, *TABLES, [np.nan] * 3, [1e300, -1e300], [9.3e18] * 3),
    "output_shape": (*WORDS, (-1,), (HUGE,), (0, 0, 0), (), (2**40,) * 3, 3, (1.5,)),
    "coordinates": (*TABLES, *ANY, np.full((2, 5), np.nan), np.full((3, 4), 1e300), np.full((1, 3), -np.inf)),
    "order": (*WORDS, -1, 6, 1.5, HUGE),
    "mode": (*WORDS, 5, ["wrap"] * 9, ["wrap", None], b"wrap"),
    "cval": (*ANY, [1], np.zeros((0,)), np.float32(3)),
    "prefilter": (*ANY, [0, 0]),
    "origin": (*ANY, 99, -99, [1] * 9, [HUGE, 0], [-1, 1], [0.5]),
    "weights": (*TABLES, *ANY),
    "sigma": (*NO_NUMBERS, *WORDS, -1, 1e300, [np.nan] * 3, [0]),
    "radius": (-1, 1.5, "x", HUGE, [1] * 9),
    "size": (*ANY, 0, 10**15, [0, 1], [HUGE] * 3, (10**9, 10**9), 2.5, [3] * 9),
    "footprint": (*TABLES, np.zeros((3, 3), bool), np.ones((40, 40)), np.ones((1, 90)), 1),
    "structure": (*TABLES, np.zeros((3, 3)), np.ones((40, 40)), np.full((3, 3), np.nan), 1),
    "structure1": (*TABLES, np.zeros((3, 3)), np.ones((40, 40))),
    "rank": (*ANY, 0, 99),
    "percentile": (*ANY, 101),
    "mask": (*TABLES, *ANY),
    "border_value": (*ANY, [1]),
    "connectivity": (*ANY,),
    "extra_keywords": (None, {"x": 1}, [], "x"),
}


def strange_image(image: np.ndarray, chooser: random.Random) -> np.ndarray:
    """The image in another type, without samples, without axes, or with samples that share memory."""
    kind = chooser.randrange(7)
    if kind < 3:
        with np.errstate(all="ignore"):
            return image.real.astype(chooser.choice(("f2", "O", "S1", "longdouble", "c8", "?", "M8[s]")))
    if kind == 3:
        return image[..., :0]
    if kind == 4:
        return np.zeros((), image.dtype)
    if kind == 5:
        return np.zeros((1,) * 33, image.dtype)
    return as_strided(np.zeros(50, image.dtype), (7, 6), (image.itemsize, 2 * image.itemsize))


def strange_output(image: np.ndarray, chooser: random.Random) -> Any:
    """The input itself, or what overlaps it, itself, or does not fit."""
    kind = chooser.randrange(6)
    if kind == 0:
        return image
    if kind == 1:
        return image[::-1] if image.ndim else image
    if kind == 2:
        return as_strided(np.zeros(1), image.shape, (0,) * image.ndim)
    if kind == 3:
        return np.zeros(image.shape[1:], image.dtype)
    if kind == 4:
        return chooser.choice(("f2", "O", "nothing", 5, object(), np.complex64, [1, 2]))
    return np.zeros(image.shape, chooser.choice(("f2", "O", "S3", "c16", "M8[s]", ">f4")))


def spoilt(call: Call, chooser: random.Random) -> tuple[np.ndarray | None, dict[str, Any]]:
    """Up to two of a good call's arguments, its image and its output perhaps replaced by others that make no sense."""
    image, arguments = call.image, dict(call.arguments)
    names = [name for name in arguments if name in WILD]
    if call.name in FLOODS:
        names = [name for name in names if name != "structure"]
    if call.name == "iterate_structure":
        names = []
    for name in chooser.sample(names, min(len(names), chooser.randint(0, 2))):
        arguments[name] = chooser.choice(WILD[name])
    if call.name in PASSES:
        # Other structures and origins may never come to rest.
        arguments["iterations"] = 1
    if image is None:
        return None, arguments
    if chooser.random() < 0.15:
        image = strange_image(image, chooser)
    if chooser.random() < 0.3:
        arguments["output"] = strange_output(image, chooser)
    return image, arguments


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.parity.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=10, help="no further call is made after that")
    parser.add_argument("--only", nargs="+", default=sorted(FUNCTIONS), choices=sorted(FUNCTIONS))
    parser.add_argument("--log", type=Path, help="where the call about to be made is written")
    options = parser.parse_args()
    # What no memory holds shall be refused at once.
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
    end = time.monotonic() + options.seconds
    made = refused = 0

    @hypothesis.seed(options.seed)
    @settings(
        max_examples=options.cases, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(calls(tuple(options.only)), st.integers(0, 2**32 - 1), st.integers(1, 3))
    def hunt(call: Call, seed: int, threads: int) -> None:
        nonlocal made, refused
        if time.monotonic() > end:
            return
        image, arguments = spoilt(call, random.Random(seed))
        if options.log is not None:
            options.log.write_text(
                f"case {made}: {call.name}({image!r}, **{arguments!r}), {threads} threads\n"
            )
        made += 1
        with num_threads(threads), np.errstate(all="ignore"):
            try:
                getattr(ndimage, call.name)(*(() if image is None else (image,)), **arguments)
            except Exception:  # a panic of the core is none of these
                refused += 1

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hunt()
    print(f"{made} calls, {refused} refused")
    return 0


if __name__ == "__main__":
    sys.exit(main())
