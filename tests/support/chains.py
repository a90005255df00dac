"""Chains of geometric steps for the tests of targets: hypothesis draws them, one leg after another."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from offgraph.geometry import AffineMap, DisplacementMap, GridMap, Leg, ProjectiveMap, Resampling

FOLDING = ("nearest", "reflect", "mirror", "grid-wrap")


def turned(angle: float, size: tuple[int, ...], output: tuple[int, ...] | None = None) -> AffineMap:
    """A turn by radians in the last two axes, about the centres of both grids."""
    output = size if output is None else output
    matrix = np.eye(len(size))
    matrix[-2:, -2:] = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    return AffineMap(matrix, (np.array(size) - 1) / 2 - matrix @ ((np.array(output) - 1) / 2), size, output)


def resized(size: tuple[int, ...], output: tuple[int, ...]) -> AffineMap:
    """Edges on edges."""
    ratio = np.array(size) / np.array(output)
    return AffineMap(np.diag(ratio), ratio / 2 - 0.5, size, output)


@st.composite
def grid_maps(draw: st.DrawFn, size: tuple[int, ...], most: int = 24) -> GridMap:
    kind = draw(st.sampled_from(["flip", "transpose", "crop"]))
    n = len(size)
    if kind == "flip":
        return GridMap.flip(draw(st.sets(st.integers(0, n - 1), min_size=1)), size)
    if kind == "transpose":
        return GridMap.transpose(draw(st.permutations(range(n))), size)
    start = tuple(draw(st.integers(-3, max(length // 2, 1))) for length in size)
    lengths = tuple(draw(st.integers(3, min(length + 3, most))) for length in size)
    return GridMap.crop(start, lengths, size)


@st.composite
def affine_maps(draw: st.DrawFn, size: tuple[int, ...], most: int = 24) -> AffineMap:
    n = len(size)
    output = tuple(draw(st.integers(max(3, length // 2), min(2 * length, most))) for length in size)
    if draw(st.booleans()):
        return resized(size, output)
    numbers = st.floats(-0.4, 0.4)
    shear = np.eye(n) + np.array([[draw(numbers) for _ in range(n)] for _ in range(n)]) * (1 - np.eye(n))
    scale = np.diag([draw(st.floats(0.6, 1.5)) * draw(st.sampled_from([1, 1, -1])) for _ in range(n)])
    matrix = turned(draw(st.floats(-3, 3)), size).matrix @ shear @ scale
    if abs(np.linalg.det(matrix)) < 0.2:
        matrix = np.eye(n)
    shift = np.array([draw(st.floats(-2, 2)) for _ in range(n)])
    offset = (np.array(size) - 1) / 2 - matrix @ ((np.array(output) - 1) / 2) + shift
    return AffineMap(matrix, offset, size, output)


@st.composite
def projective_maps(draw: st.DrawFn, size: tuple[int, ...]) -> ProjectiveMap:
    n = len(size)
    matrix = np.eye(n + 1)
    matrix[n, :n] = [draw(st.floats(-0.5, 0.8)) / length for length in size]
    return ProjectiveMap(matrix, size, size)


@st.composite
def displacement_maps(draw: st.DrawFn, size: tuple[int, ...]) -> DisplacementMap:
    n = len(size)
    seed = draw(st.integers(0, 2**32 - 1))
    reach = 0.1 * min(size) * draw(st.floats(0.1, 1))
    field = np.random.default_rng(seed).uniform(-reach, reach, (n, *[4] * n))
    return DisplacementMap(field, size, size)


@st.composite
def chains(
    draw: st.DrawFn,
    size: tuple[int, ...],
    kinds: tuple[str, ...] = ("grid", "affine", "projective", "displacement"),
    modes: tuple[str, ...] = ("constant", *FOLDING),
    most: int = 4,
) -> list[Leg]:
    makers = {
        "grid": grid_maps, "affine": affine_maps, "projective": projective_maps, "displacement": displacement_maps,
    }  # fmt: skip
    legs: list[Leg] = []
    for _ in range(draw(st.integers(1, most))):
        step = draw(makers[draw(st.sampled_from(kinds))](size))
        legs.append(
            Leg(step, Resampling(mode=draw(st.sampled_from(modes)), mask_cval=draw(st.integers(0, 9))))
        )
        size = step.output_size
    return legs
