"""The compiled loops. Private: arguments are checked by the Python that calls them."""

from array import array
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, TypedDict

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
# Output, input (None to filter the output itself), axis, mode, fill value, origin.
LineArgs = tuple[Array, Array | None, int, int, float, int]

class BuildInfo(TypedDict):
    version: str
    profile: str
    simd: str
    simd_detected: str
    threads: int

def build_info() -> BuildInfo: ...
def set_num_threads(count: int) -> int: ...
def set_local_num_threads(count: int) -> int: ...
def get_num_threads() -> int: ...
def set_simd_level(name: str) -> str: ...

class LookupTable:
    def __init__(self, entries: Array, linear: list[tuple[float, float]], signed: bool) -> None: ...
    @property
    def is_linear(self) -> bool: ...

class ResizeTables:
    def __init__(self, tables: list[tuple[Array, Array, Array]]) -> None: ...

class FilterPasses:
    def __init__(self, passes: tuple[tuple[Any, ...], ...]) -> None: ...

# Lets so many native calls of the threads that keep to it run at a time.
class CallLimit:
    def __init__(self, calls: int) -> None: ...
    def keep(self) -> None: ...
    def waited(self) -> float: ...

# Ends the native calls of the threads that watch it.
class Ending:
    def set(self) -> None: ...
    def watch(self) -> None: ...
    def is_set(self) -> bool: ...

class EncodedImage:
    @property
    def header(self) -> tuple[int, int, int, int, int, int]: ...
    @property
    def format(self) -> str: ...
    @property
    def data(self) -> bytes: ...

class ReadProgress:
    @property
    def files(self) -> int: ...
    @property
    def parts(self) -> int: ...

def read_images(
    paths: Sequence[str | PathLike[str]], max_bytes: int, progress: ReadProgress
) -> list[EncodedImage | None]: ...
def open_image(data: bytes) -> EncodedImage | None: ...

class NativePlan:
    def __new__(cls, ops: tuple[tuple[Any, ...], ...], outer: int, spatial: int) -> NativePlan: ...
    @property
    def ops(self) -> tuple[tuple[Any, ...], ...]: ...

class CompiledRecipe:
    # The steps are those of `offgraph/plan/compiled.py`.
    def __init__(
        self,
        steps: tuple[tuple[Any, ...], ...],
        fused: bool,
        max_pixels: int,
        products: tuple[int, int],
        decoding: str,
    ) -> None: ...
    # ("plan", NativePlan, shape, dtype, finite), what has to be made first, or None where Python has to plan.
    def plan(
        self, seed: int, epoch: int, index: int, shape: tuple[int, ...], dtype: str, axes: str
    ) -> tuple[Any, ...] | None: ...
    def add_weights(
        self, input: int, output: int, kernel: int, antialias: bool, table: tuple[Array, Array, Array] | None
    ) -> None: ...
    def add_values(
        self,
        number: int,
        shape: tuple[int, ...],
        dtype: str,
        axes: str,
        op: tuple[Any, ...] | None,
        result: str,
        finite: bool,
    ) -> None: ...
    # Of a sample, by seed, epoch and index.
    def add_drawn(
        self,
        number: int,
        key: tuple[int, int, int],
        shape: tuple[int, ...],
        dtype: str,
        axes: str,
        op: tuple[Any, ...] | None,
        result: str,
        finite: bool,
    ) -> None: ...

# Paths, or descriptor, position, shape, dtype and axes; seed, epoch and index of each.
class FileRules:
    def __init__(
        self,
        color: str,
        max_bytes: int,
        max_pixels: int,
        pixels_per_byte: int,
        depth: int | None,
        is_finite: bool,
        has_digests: bool,
        has_row_digests: bool,
    ) -> None: ...

class SampleRows:
    @staticmethod
    def of_files(
        paths: Sequence[str | PathLike[str]], keys: Sequence[tuple[int, int, int]], rules: FileRules
    ) -> SampleRows: ...
    # Names in UTF-8 with a NUL after each, where each ends, and where that of each number is, unless they are in order.
    @staticmethod
    def of_names(
        before: bytes,
        names: tuple[bytearray, array[int]],
        order: Array | None,
        numbers: Sequence[int],
        seed: int,
        epoch: int,
        rules: FileRules,
    ) -> SampleRows: ...
    @staticmethod
    def of_arrays(
        arrays: Sequence[tuple[int, int, tuple[int, ...], str, str, int | None] | None],
        keys: Sequence[tuple[int, int, int]],
        is_finite: bool,
    ) -> SampleRows: ...
    # The bytes of all images of an array, shape, dtype and axes of one, and which of them each sample is.
    @staticmethod
    def of_images(
        images: Array,
        shape: tuple[int, ...],
        dtype: str,
        axes: str,
        places: Sequence[int],
        keys: Sequence[tuple[int, int, int]],
        is_finite: bool,
    ) -> SampleRows: ...
    # Shape and dtype of each, and what has to be made first, as of `CompiledRecipe.plan`.
    def plan(
        self, recipe: CompiledRecipe
    ) -> tuple[list[tuple[tuple[int, ...], str] | None], list[tuple[Any, ...]]]: ...
    # What has to be made first.
    def run(self, recipe: CompiledRecipe, output: Array) -> list[tuple[Any, ...]]: ...
    @property
    def made(self) -> list[tuple[tuple[int, ...], str] | None]: ...
    @property
    def left(self) -> int: ...
    @property
    def unplanned(self) -> int: ...
    @property
    def digests(self) -> list[bytes | None]: ...
    @property
    def row_digests(self) -> list[bytes | None]: ...
    @property
    def reading(self) -> int | None: ...
    @property
    def steps(self) -> int: ...

# Places, all below the count, are replaced by the numbers that stand there; the keys of so many rounds are hashes of a text
# and the number of each.
def permute(places: Array, count: int, text: str, rounds: int) -> None: ...

# The numbers at places `first`, `first` + `step`, …, so many.
def permuted(first: int, step: int, length: int, count: int, text: str, rounds: int) -> list[int]: ...
def drawn_values(
    seed: int, epoch: int, index: int, address: int, calls: tuple[tuple[str, float, float], ...]
) -> list[Any]: ...
def cos_sin_degrees(angles: list[float]) -> list[tuple[float, float]]: ...
def rounded_dot(code: int, a: float, b: float, x: float, y: float) -> float: ...

# Input, output, number of outer axes, number of spatial axes, operations: see `offgraph/engine/native_plan.py`.
Target = tuple[Array | tuple[EncodedImage, bool], Array, int, int, tuple[tuple[Any, ...], ...] | NativePlan]

def run_plan(targets: tuple[Target, ...]) -> None: ...

# Target, operation and exception of each sample that failed.
def run_plans(
    samples: tuple[tuple[Target, ...], ...],
) -> list[tuple[int | None, int | None, BaseException] | None]: ...
def invert_displacement(
    places: Array, goals: Array, coefficients: Array, order: int, size: tuple[int, ...], nothing: float
) -> None: ...
def lookup(output: Array, input: Array, table: Array) -> None: ...
def grey(output: Array, input: Array) -> None: ...
def histogram(counts: Array, input: Array) -> None: ...

# Of an axis: the number of tiles, the pixel of each place, the tiles before and after each pixel and their weights.
def equalize_tiles(
    output: Array,
    input: Array,
    rows: tuple[int, Array, Array, Array, Array, Array],
    columns: tuple[int, Array, Array, Array, Array, Array],
    limit: int,
    top: int,
) -> None: ...
def multiply_pixels(output: Array, input: Array, field: Array, top: float | None) -> None: ...
def shine(
    output: Array, input: Array, amounts: Array, color: Array, factor: float | None, top: float
) -> None: ...
def philox4x64(counter: Sequence[int], key: Sequence[int]) -> tuple[int, int, int, int]: ...
def count_photons(
    output: Array,
    input: Array,
    means: Array,
    zeros: Array,
    photons: float,
    top: float,
    quantiles: Array,
    seed: int,
    frame: int,
) -> None: ...
def jpeg_shape(data: bytes) -> tuple[int, int, int] | None: ...
def decode_jpeg(output: Array, data: bytes, window: tuple[int, int, int, int] | None) -> str | None: ...
def encode_png(image: Array) -> bytes | None: ...

# For each output and file, why it is not decoded here.
def decode_pngs(images: list[tuple[Array, Array]]) -> list[str | None]: ...
def read_spans(output: Array, spans: list[tuple[int, int, int]]) -> list[bool]: ...
def resize(output: Array, input: Array, outer: int, tables: ResizeTables) -> None: ...
def spline_filter1d(output: Array, input: Array | None, order: int, axis: int, mode: int) -> None: ...
def affine(
    output: Array,
    input: Array,
    outer: int,
    matrix: list[float],
    offset: list[float],
    order: int,
    mode: int,
    fill: float,
    pad: int,
) -> None: ...
def affine_each(
    output: Array,
    input: Array,
    outer: int,
    matrices: list[float],
    offsets: list[float],
    order: int,
    mode: int,
    fill: float,
    pad: int,
) -> None: ...
def zoom_shift(
    output: Array,
    input: Array,
    outer: int,
    maps: list[tuple[float | None, float | None]],
    grid: bool,
    room: Array | None,
    order: int,
    mode: int,
    fill: float,
    pad: int,
) -> None: ...
def map_coordinates(
    output: Array, input: Array, outer: int, coordinates: Array, order: int, mode: int, fill: float, pad: int
) -> None: ...
def map_positions(
    coordinates: Array,
    mapping: Callable[..., object],
    extra_arguments: tuple[object, ...],
    extra_keywords: dict[str, object],
    shape: list[int],
    first: int,
) -> None: ...
def correlate1d(lines: LineArgs, weights: list[float]) -> None: ...
def correlate_axes(
    output: Array, input: Array | None, passes: list[tuple[int, list[float], int, float, int]]
) -> None: ...
def correlate_nd(
    output: Array,
    input: Array,
    weights: list[float],
    shape: list[int],
    mode: int,
    cval: float,
    origins: list[int],
) -> None: ...
def uniform1d(lines: LineArgs, size: int) -> None: ...
def box_extremum(
    output: Array,
    input: Array,
    lengths: list[int],
    modes: list[int],
    cval: float,
    origins: list[int],
    largest: bool,
) -> None: ...
def rank_filter(
    output: Array,
    input: Array,
    rank: int,
    footprint: Array,
    mode: int,
    cval: int | float,
    origins: list[int],
) -> None: ...
def binary_erosion(
    output: Array,
    input: Array,
    structure: Array,
    origin: list[int],
    border: bool,
    complement: bool,
    mask: Array | None,
    later_mask: Array | None,
    passes: int,
) -> None: ...
def multiply_spectrum(
    output: Array,
    input: Array,
    parts: tuple[int, int],
    tables: Sequence[Sequence[float]],
    is_phase: bool,
) -> None: ...
def multiply_spectrum_by(output: Array, input: Array, parts: tuple[int, int], factors: Array) -> None: ...
def ball_spectrum(distances: Array, axes: int) -> None: ...
def watershed(output: Array, input: Array, markers: Array, structure: Sequence[bool]) -> None: ...
def euclidean_distances(
    distances: Array | None, features: Array | None, input: Array, sampling: Sequence[float] | None
) -> bool: ...
def chamfer_distances(
    distances: Array, features: Array | None, input: Array, before: Sequence[bool]
) -> None: ...
def brute_force_distances(
    distances: Array | None,
    features: Array | None,
    marks: Array,
    metric: int,
    sampling: Sequence[float] | None,
) -> None: ...
def indices_of_positions(indices: Array, positions: Array) -> None: ...
def label(output: Array, input: Array, structure: Array) -> int: ...
def find_objects(bounds: Array, labels: Array) -> None: ...
def box_slices(bounds: Array) -> list[tuple[slice, ...] | None]: ...
def all_box_slices(labels: Array) -> list[tuple[slice, ...] | None] | None: ...
def label_regions(numbers: Array, labels: Array, connectivity: int) -> int: ...
def label_distances(distances: Array, labels: Array, spacings: Sequence[float], edges: bool) -> None: ...
def priority_flood(labels: Array, heights: Array, mask: Array, structure: Sequence[bool]) -> None: ...
def reconstruct(levels: Array, mask: Array, structure: Sequence[bool]) -> None: ...
def regional_maxima(marks: Array, levels: Array, structure: Sequence[bool]) -> None: ...
def group_by_value(indices: Array, starts: Array, values: Array, base: int, skipped: int | None) -> None: ...
def label_counts(counts: Array, labels: Array, base: int) -> None: ...
def label_sums(
    sums: Array, counts: Array | None, labels: Array, values: Array, means: Array | None, least: int
) -> None: ...
def asked_sums(sums: Array, counts: Array | None, labels: Array, values: Array, asked: Array) -> bool: ...
def label_moments(sums: Array, labels: Array, values: Array, least: int) -> None: ...
def label_extremes(
    least: Array, least_tied: Array, largest: Array, largest_tied: Array, labels: Array, values: Array
) -> bool: ...
def raised_extremum(
    output: Array,
    input: Array,
    footprint: Array,
    heights: list[float],
    largest: bool,
    mode: int,
    cval: float,
    origins: list[int],
) -> None: ...
