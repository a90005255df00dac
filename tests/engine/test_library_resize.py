"""`Resize(like=…)` beside the libraries themselves: 50 photographs in 5 sizes, and images of random numbers."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PilImage
from tests.references.declared import Lazy
from tests.support.cases import examples

import offgraph as og
from offgraph.engine.library_resize import LIBRARIES, resize_like

SIZES = ((224, 224), (97, 151), (400, 530), (64, 500), (333, 40))
DTYPES = {
    "pillow": ("uint8", "uint16", "int32", "float32"),
    "opencv": ("uint8", "uint16", "int16", "float32", "float64"),
    "tf": ("uint8", "int16", "float32", "float64"),
    "torch": ("uint8", "int16", "float32", "float64"),
}
cv2: Any = Lazy("cv2")
tf: Any = Lazy("tensorflow")
torch: Any = Lazy("torch")
v2: Any = Lazy("torchvision.transforms.v2.functional")


def _pillow(image: np.ndarray, size: tuple[int, int], kernel: str, antialias: bool) -> np.ndarray:
    method = getattr(PilImage.Resampling, LIBRARIES["pillow"].kernels[kernel])
    planes = [image] if image.dtype == np.uint8 or image.ndim == 2 else np.moveaxis(image, -1, 0)
    made = [
        np.asarray(PilImage.fromarray(np.ascontiguousarray(p)).resize((size[1], size[0]), method))
        for p in planes
    ]
    return made[0] if len(made) == 1 else np.stack(made, axis=-1)


def _opencv(image: np.ndarray, size: tuple[int, int], kernel: str, antialias: bool) -> np.ndarray:
    return cv2.resize(image, size[::-1], interpolation=getattr(cv2, LIBRARIES["opencv"].kernels[kernel]))


def _tf(image: np.ndarray, size: tuple[int, int], kernel: str, antialias: bool) -> np.ndarray:
    return tf.image.resize(image, size, method=LIBRARIES["tf"].kernels[kernel], antialias=antialias).numpy()


def _torch(image: np.ndarray, size: tuple[int, int], kernel: str, antialias: bool) -> np.ndarray:
    planes = torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 0)))
    if kernel == "area":  # which torchvision does not have
        given = planes if planes.is_floating_point() else planes.float()
        made = torch.nn.functional.interpolate(given[None], size=size, mode="area")[0]
        made = made if planes.is_floating_point() else made.round().to(planes.dtype)
    else:
        from torchvision.transforms import InterpolationMode  # type: ignore[import-not-found]

        mode = InterpolationMode(LIBRARIES["torch"].kernels[kernel])
        made = v2.resize(planes, list(size), interpolation=mode, antialias=antialias)
    return np.ascontiguousarray(np.moveaxis(made.numpy(), 0, -1))


Resizes = Callable[[np.ndarray, tuple[int, int], str, bool], np.ndarray]
LIVE: dict[str, Resizes] = {"pillow": _pillow, "opencv": _opencv, "tf": _tf, "torch": _torch}
CASES = [
    (like, kernel, antialias)
    for like, library in LIBRARIES.items()
    if like in LIVE
    for kernel in library.kernels
    for antialias in ((False, True) if library.chooses and kernel != "area" else (library.antialias,))
    if not (like == "torch" and kernel == "lanczos3" and not antialias)
]


def is_comparable(like: str, kernel: str) -> bool:
    """Whether a library is installed, in a version that has the kernel as we have it."""
    module = {"opencv": "cv2", "tf": "tensorflow", "torch": "torchvision"}.get(like)
    if module is not None and importlib.util.find_spec(module) is None:
        return False
    if like == "pillow" and int(PIL.__version__.split(".")[0]) < 13:
        return False
    return (like, kernel) != ("opencv", "nearest-exact") or int(cv2.__version__.split(".")[0]) >= 5


def bound(like: str, kernel: str, dtype: str, largest: float) -> float:
    """How far the values may be apart, as the step's docstring says."""
    if kernel in ("nearest", "nearest-exact") or like.startswith("pillow"):
        return 0.0
    if like == "tf":
        return 1e-6 * largest if kernel.startswith("lanczos") else 0.0
    if like == "opencv":
        if kernel == "area" or (dtype == "uint8" and kernel != "cubic"):
            return 0.0
        ipp = bool(cv2.ipp.useIPP()) and kernel in ("triangle", "cubic")
        if dtype in ("uint8", "uint16", "int16"):
            return 1.0 if ipp or kernel == "cubic" or dtype == "int16" else 0.0
        if dtype == "float64":
            return 2e-5 * largest if ipp else 0.0
        return (2e-5 if ipp else 1e-6 if kernel != "triangle" else 0.0) * largest
    fast = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    if dtype == "uint8":
        return 0.0 if fast or kernel == "area" else 1.0
    if dtype == "int16":
        return 1.0
    return (2e-6 if fast else 1e-5) * largest if dtype == "float32" else 1e-12 * largest


def compare(like: str, kernel: str, antialias: bool, image: np.ndarray, size: tuple[int, int]) -> None:
    if not is_comparable(like, kernel):
        return  # OpenCV before 5: nearest-exact in steps of 65,536ths
    made = resize_like(image, size, axes=(0, 1), like=like, kernel=kernel, antialias=antialias)  # type: ignore[arg-type]
    want = LIVE[like](image, size, kernel, antialias)
    assert (made.shape, made.dtype) == (want.shape, want.dtype)
    largest = float(np.abs(image.astype(np.float64)).max())
    off = np.abs(made.astype(np.float64) - want.astype(np.float64)).max()
    allowed = bound(like, kernel, image.dtype.name, largest)
    assert off <= allowed, (
        f"{like} {kernel} antialias={antialias}: {image.shape} {image.dtype} to {size} is {off} off, {allowed} are allowed"
    )


@pytest.fixture(scope="module", params=sorted(LIVE))
def like(request: pytest.FixtureRequest) -> str:
    """A library that is installed."""
    module = {"opencv": "cv2", "tf": "tensorflow", "torch": "torchvision"}.get(request.param)
    if module is not None:
        pytest.importorskip(
            module, reason=f"{module} is not installed: its resize cannot be compared with ours"
        )
    if request.param == "pillow" and int(PIL.__version__.split(".")[0]) < 13:
        pytest.skip(f"Pillow {PIL.__version__} is installed: like='pillow' is its resize from 13 on")
    return request.param


def test_fifty_photographs_in_five_sizes(like: str, shared_data: Path):
    """The default kernel on each of them, the others in turn."""
    default = LIBRARIES[like].antialias
    others = [case[1:] for case in CASES if case[0] == like and case[1:] != ("triangle", default)]
    turn = 0
    for path in sorted((shared_data / "photos").iterdir())[:50]:
        photo = og.imread(path, color="rgb")
        for size in SIZES:
            compare(like, "triangle", default, photo, size)
            if turn % 3 == 0:
                kernel, antialias = others[turn // 3 % len(others)]
                compare(like, kernel, antialias, photo, size)
            turn += 1


@examples(60)
@given(data=st.data())
def test_random_images_of_every_dtype_and_size(like: str, data: st.DataObject):
    _, kernel, antialias = data.draw(st.sampled_from([case for case in CASES if case[0] == like]))
    dtype = data.draw(st.sampled_from(DTYPES[like]))
    # PyTorch 2.15 repeats the first row of images of floats that are one pixel wide, and ends in an error for bytes.
    least = 2 if like == "torch" else 1
    n, m, rows, columns = (data.draw(st.integers(least, 40)) for _ in range(4))
    if data.draw(st.booleans()):
        n, m = rows * data.draw(st.integers(1, 4)), columns * data.draw(st.integers(1, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 30)))
    image = rng.integers(0, 256, (n, m, 3))
    compare(like, kernel, antialias, image.astype(dtype), (rows, columns))


@pytest.mark.parametrize("kernel", ["triangle", "cubic"])
def test_lengths_that_hardly_change(kernel: str, like: str):
    """Weights are nearly 1, where the number of bits that PyTorch rounds them to has its limit."""
    random = np.random.default_rng(0)
    for n in (2, 3, 60, 150, *range(190, 200), 225, 226, 300, 500):
        image = random.integers(0, 256, (7, n, 3)).astype(np.uint8)
        for length in (n - 1, n + 1):
            compare(like, kernel, LIBRARIES[like].antialias, image, (7, length))
            if LIBRARIES[like].chooses:
                compare(like, kernel, not LIBRARIES[like].antialias, image, (7, length))


def test_torch_rounds_weights_to_what_the_last_pixel_leaves():
    """As PyTorch 2.15 gives it: with a bit more the value is 41."""
    row = (np.arange(225) * 89 % 256).astype(np.uint8)
    made = resize_like(
        row[np.newaxis, :, np.newaxis], (1, 224), axes=(0, 1), like="torch", kernel="cubic", antialias=False
    )
    assert made[0, 12, 0] == 42


@examples(40)
@given(data=st.data())
def test_pillow_before_13_resizes_the_columns_first(data: st.DataObject):
    """Each axis alone has the same bytes in every version."""
    kernel = data.draw(st.sampled_from(list(LIBRARIES["pillow12"].kernels)))
    n, m, rows, columns = (data.draw(st.integers(1, 40)) for _ in range(4))
    image = np.random.default_rng(data.draw(st.integers(0, 1 << 30))).integers(0, 256, (n, m, 3), np.uint8)
    made = resize_like(image, (rows, columns), axes=(0, 1), like="pillow12", kernel=kernel, antialias=True)
    want = _pillow(_pillow(image, (n, columns), kernel, True), (rows, columns), kernel, True)
    np.testing.assert_array_equal(made, want)


@examples(40)
@given(data=st.data())
def test_axes_may_lie_anywhere(data: st.DataObject):
    like, kernel, antialias = data.draw(st.sampled_from(CASES))
    image = np.random.default_rng(0).integers(0, 256, (7, 9, 2, 3)).astype(np.uint8)
    options: dict[str, Any] = {"like": like, "kernel": kernel, "antialias": antialias}
    want = resize_like(image, (5, 12), axes=(0, 1), **options)
    moved = data.draw(st.permutations(range(4)))
    places = (moved.index(0), moved.index(1))
    made = resize_like(image.transpose(moved), (5, 12), axes=places, **options)
    np.testing.assert_array_equal(made, want.transpose(moved))
    assert made.flags.c_contiguous and not np.may_share_memory(made, image)
    for channel in range(3):
        alone = resize_like(image[:, :, 0, channel], (5, 12), axes=(0, 1), **options)
        np.testing.assert_array_equal(alone, want[:, :, 0, channel])


@pytest.mark.parametrize("like", LIBRARIES)
def test_a_constant_image_stays_what_it_is(like: Any):
    library = LIBRARIES[like]
    for kernel in library.kernels:
        antialias = library.antialias or (like == "torch" and kernel == "lanczos3")
        image = np.full((13, 17), 200, np.uint8)
        for size in ((5, 31), (13, 17), (1, 1), (26, 8)):
            made = resize_like(image, size, axes=(0, 1), like=like, kernel=kernel, antialias=antialias)
            assert np.abs(made.astype(float) - 200).max() <= (1e-3 if made.dtype.kind == "f" else 0), (
                kernel,
                size,
            )


def test_an_image_of_the_size_is_copied():
    image = np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8)
    for like, library in LIBRARIES.items():
        options: dict[str, Any] = {"like": like, "kernel": "triangle", "antialias": library.antialias}
        made = resize_like(image, (9, 8), axes=(0, 1), **options)
        assert np.array_equal(made, image) and not np.may_share_memory(made, image)


def test_arrays_of_the_other_byte_order_and_without_elements():
    image = np.arange(12, dtype=">f4").reshape(3, 4)
    options: dict[str, Any] = {"kernel": "triangle", "antialias": True, "axes": (0, 1)}
    want = resize_like(image.astype(np.float32), (2, 2), like="pillow", **options)
    np.testing.assert_array_equal(resize_like(image, (2, 2), like="pillow", **options), want)
    none = resize_like(np.zeros((3, 4, 0), np.uint8), (2, 2), like="tf", **options)
    assert none.shape == (2, 2, 0) and none.dtype == np.float32


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"size": (0, 3)}, "at least 1 each"),
        ({"size": (1 << 21, 3)}, "more than the limit"),
        ({"axes": (0, 1, 2), "size": (2, 2, 2)}, "two spatial axes, not 3"),
        ({"like": "torch", "kernel": "lanczos3", "antialias": False}, "antialias=True alone"),
        (
            {"like": "opencv", "kernel": "triangle", "antialias": False, "dtype": "int8"},
            "takes uint8, uint16, int16",
        ),
    ],
)
def test_what_a_library_does_not_take(options: dict[str, Any], says: str):
    chosen = {
        "size": (3, 3),
        "axes": (0, 1),
        "like": "pillow",
        "kernel": "triangle",
        "antialias": True,
    } | options
    image = np.zeros((4, 5, 3), chosen.pop("dtype", "uint8"))
    with pytest.raises(ValueError, match=says):
        resize_like(image, chosen.pop("size"), **chosen)
