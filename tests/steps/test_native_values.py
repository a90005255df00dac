"""Steps that the native core computes have the bytes of their `reference`: every dtype, shape, layout, level and number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og
from offgraph import ndimage
from offgraph.core.random import Draw
from offgraph.engine.native import core
from offgraph.plan.placed import place
from offgraph.plan.quick import QuickRunner
from offgraph.plan.run import run
from offgraph.steps.kinds import ImageStep
from offgraph.steps.registry import all_steps
from offgraph.targets import Image, Targets
from offgraph.transforms.filters._plane_kernel import PlaneKernelStep

LEVELS = ("baseline", "avx2", "avx512")
RANGES = {"uint8": 255, "uint16": 4095, "float32": 1, "float64": 255, "int16": 255, "bool": None}
TILES: Any = {"Y": 3, "X": 4}
LENGTHS: Any = {"X": 2, "Y": (1, 9)}
FIXED: dict[str, list[Any]] = {
    "BiasField": [lambda r: og.BiasField((0, 0.9), order=2, range=r), lambda r: og.BiasField(0.4, order=3, range=r)],
    "AutoContrast": [lambda r: og.AutoContrast((0, 20), range=r)],
    "CLAHE": [lambda r: og.CLAHE((0.5, 9), tiles=TILES, range=r), lambda r: og.CLAHE(4, tiles=8, range=r)],
    "ChannelDrop": [lambda r: og.ChannelDrop((1, 2), fill=1)],
    "ChannelShuffle": [lambda r: og.ChannelShuffle()],
    "CoarseDropout": [
        lambda r: og.CoarseDropout((1, 5), size=("5%", "60%"), fill=1),
        lambda r: og.CoarseDropout(3, size=LENGTHS, fill=(0, 1, 0)),
    ],
    "ColorJitter": [
        lambda r: og.ColorJitter((0.5, 1.5), (0.4, 1.6), (0, 2), (-200, 200), range=r),
        lambda r: og.ColorJitter(hue=(-30, 30), range=r),
    ],
    "ColorMatrix": [
        lambda r: og.ColorMatrix(((0.393, 0.769, 0.189), (0.349, 0.686, 0.168), (0.272, 0.534, 0.131)), range=r),
        lambda r: og.ColorMatrix(((0.5, 0.5, 0), (1.5, -0.25, 0.125), (1e6, 0, -1e6)), range=r),
    ],
    "Equalize": [lambda r: og.Equalize(range=r)],
    "Fog": [lambda r: og.Fog((0, 1), patchiness=1, range=r), lambda r: og.Fog(0.7, color=(0.9, 0, 1), range=r)],
    "GaussianNoise": [
        lambda r: og.GaussianNoise((0, 0.3), mean=(-0.1, 0.1), range=r),
        lambda r: og.GaussianNoise(0.2, per_channel=False, clip=False, range=r),
    ],
    "HueSaturation": [lambda r: og.HueSaturation((-200, 200), saturation=(0, 3), value=(0, 2), range=r)],
    "ISONoise": [lambda r: og.ISONoise((0, 0.1), intensity=(0, 0.5), range=r)],
    "MatchHistogram": [lambda r: og.MatchHistogram(((3, 90, 200.5), (0, 10, 20), (7, 7, 300)))],
    "PixelDropout": [
        lambda r: og.PixelDropout((0, 0.6), fill=1),
        lambda r: og.PixelDropout(0.3, per_channel=True, fill=(0, 1, 0)),
    ],
    "PoissonNoise": [lambda r: og.PoissonNoise((2, 20), range=r), lambda r: og.PoissonNoise((20, 5000), range=r)],
    "PercentileNormalize": [
        lambda r: og.PercentileNormalize(),
        lambda r: og.PercentileNormalize(5, 60, per_channel=False, clip=True),
    ],
    "RGBShift": [lambda r: og.RGBShift((-1, 1), 0.1, (-0.2, 0), range=r)],
    "Rain": [
        lambda r: og.Rain((0, 40), length=(1, 9), blur=3, range=r),
        lambda r: og.Rain(30, width=2, blur=1, color=(0.9, 0, 1), range=r),
    ],
    "SaltAndPepper": [
        lambda r: og.SaltAndPepper((0, 0.6), salt=0.3, range=r),
        lambda r: og.SaltAndPepper(0.3, per_channel=True, range=r),
    ],
    "Shadow": [lambda r: og.Shadow((1, 4), strength=(0, 1), corners=(3, 9), rows=(0, 1), columns=(0, 1))],
    "Snow": [lambda r: og.Snow((0, 1), factor=(0, 4), range=r)],
    "Spatter": [lambda r: og.Spatter((0, 1), color=(0.25, 0.16, 0.08), range=r)],
    "Speckle": [lambda r: og.Speckle((0, 0.6), range=r), lambda r: og.Speckle(0.3, per_channel=False, range=r)],
    "ToGrey": [lambda r: og.ToGrey(), lambda r: og.ToGrey(channels=1)],
    "ZScore": [lambda r: og.ZScore(), lambda r: og.ZScore(per_channel=False, nonzero=True)],
}  # fmt: skip


@pytest.fixture(params=LEVELS)
def level(request):
    before = core.build_info()["simd"]
    if core.set_simd_level(request.param) != request.param:
        core.set_simd_level(before)
        pytest.skip(f"the processor has no {request.param}")
    yield request.param
    core.set_simd_level(before)


def made_image(shape: tuple[int, ...], dtype: str, top: float | None, seed: int) -> np.ndarray:
    """Values of the whole range, some of them equal and some colours grey."""
    rng = np.random.default_rng(seed)
    values = rng.random(shape)
    values[rng.random(shape[:-1]) < 0.2] = 0.5
    values[rng.random(shape) < 0.1] = 0
    if dtype == "bool":
        return values > 0.5
    return (values * (top or 1) * 1.05).clip(0, None if dtype.startswith("float") else top).astype(dtype)


def test_every_step_with_a_native_way_is_here():
    native = {
        name
        for name, cls in all_steps().items()
        if issubclass(cls, ImageStep) and {"compute", "work"} & vars(cls).keys()
    }
    assert native == set(FIXED)


@pytest.mark.parametrize("name", FIXED)
@settings(max_examples=20, deadline=None)
@given(
    size=st.one_of(st.tuples(st.integers(1, 40), st.integers(1, 70)), st.just((3, 5, 9))),
    dtype=st.sampled_from(sorted(RANGES)),
    seed=st.integers(0, 99),
    threads=st.sampled_from([1, 2]),
    frame=st.integers(0, 3),
)
def test_native_bytes_are_those_of_the_reference(name, size, dtype, seed, threads, frame):
    for make in FIXED[name]:
        step = make(RANGES[dtype])
        image = made_image((*size, 3), dtype, RANGES[dtype], seed)
        spec = Image(image, "ZYXC"[-image.ndim :]).spec
        try:
            step.output_spec(spec)
        except ValueError:  # a dtype that the step does not take
            continue
        if len(size) not in step.dimensions:
            continue
        params = step.sample(Draw(og.Key(seed=seed), "here"), spec)
        if name in ("CLAHE", "AutoContrast") and image.ndim == 4 and dtype != "uint8":
            continue
        with np.errstate(all="ignore"):
            expected = step.reference(ndimage, image, params, frame)
        before = core.build_info()["simd"], core.set_num_threads(threads)
        try:
            for wanted in LEVELS:
                core.set_simd_level(wanted)
                found = step.compute(image, params, frame)
                if found is not None:
                    assert found.dtype == expected.dtype
                    np.testing.assert_array_equal(found, expected)
        finally:
            core.set_simd_level(before[0])
            core.set_num_threads(before[1])


@pytest.mark.parametrize("name", FIXED)
def test_bytes_of_photographs_are_made_natively(name):
    """The way that people call: it must not fall back to the definition."""
    image = made_image((30, 41, 3), "uint8", 255, 1)
    step = FIXED[name][0](255 if name not in ("PixelDropout", "CoarseDropout") else None)
    params = step.sample(Draw(og.Key(), "here"), Image(image).spec)
    assert step.compute(image, params) is not None


@pytest.mark.parametrize("step", [
    og.Kernel(((0, -1, 0), (-1, 5.5, -1), (0, -1, 0))), og.Kernel(((1, 2), (3, -4)), mode="constant", cval=9),
    og.MotionBlur(9, 33, mode="mirror"), og.Defocus(3, mode="wrap"), og.Kernel(((1e-20, 0.5, 0.5),), mode="nearest"),
])  # fmt: skip
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("size", [(1, 1), (3, 50), (40, 33)])
def test_weights_in_the_plane_are_those_of_scipy(step, dtype, size, level):
    assert isinstance(step, PlaneKernelStep)
    rng = np.random.default_rng(5)
    for channels in (None, 1, 3, 5):
        image = (rng.random(size if channels is None else (*size, channels)) * 255).astype(dtype)
        axes = "YX" if channels is None else "YXC"
        planes = [image] if channels is None else [image[..., c] for c in range(channels)]
        expected = [step.reference(ndimage, np.ascontiguousarray(plane), {**vars(step)}) for plane in planes]
        expected = expected[0] if channels is None else np.stack(expected, axis=-1)
        np.testing.assert_array_equal(step.filter(image, axes, {**vars(step)}), expected)
        flipped = np.ascontiguousarray(image[::-1])[::-1]
        np.testing.assert_array_equal(step.filter(flipped, axes, {**vars(step)}), expected)


class Darker(og.ColorJitter):
    """A step of a user's, with a definition of its own."""

    def reference(self, ndi, image, params, channel=0):
        return image // 2


def test_a_definition_of_ones_own_counts():
    image = made_image((9, 8, 3), "uint8", 255, 3)
    step = object.__new__(Darker)
    vars(step).update(vars(og.ColorJitter(hue=20)))
    np.testing.assert_array_equal(step._made(image, {"order": ["hue"], "hue": 20.0}, 0), image // 2)


@pytest.mark.parametrize(
    "name", ["Brightness", "Clip", "Contrast", "Gamma", "Invert", "Posterize", "Rescale", "Solarize"]
)
def test_one_table_serves_all_channels(name):
    cls = all_steps()[name]
    assert vars(cls)["same_in_all_channels"]
    step = {
        "Clip": og.Clip(9, 90),
        "Contrast": og.Contrast(1.4),
        "Gamma": og.Gamma(0.7),
        "Rescale": og.Rescale(0.5),
    }.get(name)
    step = cls() if step is None else step
    values = np.arange(256, dtype=np.uint8)
    params = step.sample(Draw(og.Key(), "here"), Image(values[np.newaxis]).spec)
    rows = [step.reference(np, values, params, channel) for channel in range(4)]
    assert all(np.array_equal(row, rows[0]) for row in rows)


def test_the_flag_is_not_inherited_with_another_definition():
    class ByChannel(og.Gamma):
        def reference(self, ndi, image, params, channel=0):
            return image

    step = object.__new__(ByChannel)
    assert og.Gamma(2).has_one_table and not step.has_one_table


RECIPES = {
    "nothing drawn": [og.Flip("X"), og.Rotate(20), og.Normalize("imagenet")],
    "drawn by the core": [og.RandomCrop((9, 7)), og.Flip("X", p=0.5), og.Rotate((-9, 9))],
    "drawn in Python": [og.Gamma((0.5, 2)), og.ChannelShuffle(), og.GaussianNoise(0.1)],
    "nothing happens": [og.Identity()],
    "by chance": [og.ColorJitter(hue=(-9, 9), p=0.5), og.OneOf([og.Invert(), og.MedianFilter(3)])],
    "more pixels": [og.Pad(3), og.ToGrey(channels=1)],
}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("layout", ["plain", "flipped", "transposed", "shifted"])
def test_a_bare_image_takes_the_quick_way_to_the_same_result(name, layout):
    recipe = og.Compose(RECIPES[name])
    image = made_image((24, 31, 3), "uint8", 255, 2)
    image = {
        "plain": image, "flipped": image[::-1], "transposed": image.transpose(1, 0, 2),
        "shifted": np.frombuffer(b"x" + image.tobytes(), np.uint8, offset=1).reshape(image.shape),
    }[layout]  # fmt: skip
    given = image.copy()
    for index in range(6):
        key = og.Key(seed=3, index=index)
        out = recipe(image=image, key=key)
        targets, applied, history = run(recipe._placed, Targets({"image": Image(image)}), key, fused=True)
        np.testing.assert_array_equal(out.image, targets.image.array)
        assert out.image.dtype == targets.image.array.dtype and out.image.flags.c_contiguous
        assert (
            out.record == recipe.drawn_record(Image(image).spec, key) and out.record["key"]["index"] == index
        )
        assert [step["params"] for step in out.record["steps"]] == [step.params for step in applied]
        assert out.frame.to_json() == history.frame().to_json()
        assert not np.may_share_memory(out.image, image)
        again = recipe.replay(out.record, image=image)
        np.testing.assert_array_equal(again.image, out.image)
    np.testing.assert_array_equal(image, given)


def test_the_quick_way_is_taken_and_leaves_the_rest():
    image = made_image((24, 31, 3), "uint8", 255, 2)
    runner = QuickRunner(place([(og.Flip("X"), False)]), fused=True)
    assert runner.run(image, og.Key()) is not None
    assert (
        runner.run(image.astype(">u2"), og.Key()) is None
        and runner.run(image.astype(complex), og.Key()) is None
    )
    assert runner.run(image[:0], og.Key()) is None
    with pytest.raises(og.StepError, match="RandomCrop"):
        og.Compose([og.RandomCrop((99, 9))])(image=image, key=og.Key())


def test_results_are_copied_and_sent():
    import copy
    import pickle

    out = og.Compose([og.Rotate((-9, 9))])(image=made_image((9, 8, 3), "uint8", 255, 1), key=og.Key(seed=1))
    sent = pickle.loads(pickle.dumps(out))
    assert (
        sent.record == out.record
        and (sent.image == out.image).all()
        and sent.frame.to_json() == out.frame.to_json()
    )
    assert copy.copy(out).record == out.record and "image uint8" in repr(out)
    assert out.mask is None and out.boxes is None
    with pytest.raises(AttributeError, match="no target 'nuclei'"):
        out.nuclei
