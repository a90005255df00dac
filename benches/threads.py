"""Two threads against one, on a 2048x2048x3 photograph: how much faster, and the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

import offgraph
from benches.cases import same
from benches.operations import photograph
from benches.timing import in_turn, ratio
from offgraph import ndimage

SMALLER = (0.4375, 0.4375, 1)


def cases() -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """The operations that the project promises a second thread for, in uint8 and float32."""
    photo = photograph(2048)
    for kind, image in (("u8", photo), ("f32", photo.astype(np.float32) / 255)):
        for order in (1, 3):
            yield (
                f"rotate 33° order {order} {kind}",
                lambda im=image, order=order: ndimage.rotate(im, 33, reshape=False, order=order),
            )
            yield (
                f"zoom 2048→896 order {order} {kind}",
                lambda im=image, order=order: ndimage.zoom(im, SMALLER, order=order),
            )
        for sigma in (1, 4):
            yield (
                f"gaussian σ {sigma} {kind}",
                lambda im=image, sigma=sigma: ndimage.gaussian_filter(im, (sigma, sigma, 0)),
            )
        for size in (3, 5):
            yield (
                f"median {size}×{size} {kind}",
                lambda im=image, size=size: ndimage.median_filter(im, (size, size, 1)),
            )


def run(only: str = "", rounds: int = 5) -> list[dict]:
    """Check, time and print every case whose name holds `only`."""
    rows = []
    print(f"{'operation, 2048×2048×3':32s} {'one':>10s} {'two':>10s} {'faster':>7s}")
    for name, call in cases():
        if only not in name:
            continue

        def with_threads(count: int, call: Callable[[], np.ndarray] = call) -> np.ndarray:
            with offgraph.num_threads(count):
                return call()

        if not same(with_threads(1), with_threads(2)):
            raise SystemExit(f"{name}: two threads give another answer; nothing is timed")
        seconds = in_turn({"one": lambda: with_threads(1), "two": lambda: with_threads(2)}, rounds=rounds)
        faster = ratio(seconds, "one", own="two") or 0.0
        one, two = (sorted(seconds[each])[rounds // 2] * 1e3 for each in ("one", "two"))
        rows.append(
            {
                "case": name,
                "milliseconds_one": round(one, 2),
                "milliseconds_two": round(two, 2),
                "faster": round(faster, 2),
            }
        )
        print(f"{name:32s} {one:7.2f} ms {two:7.2f} ms {faster:7.2f}", flush=True)
    return rows
