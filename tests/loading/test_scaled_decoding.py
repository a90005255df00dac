"""Images that are decoded at another scale for the resize that follows: ``decode="scaled"``."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from tests.support.odd_files import exif

import offgraph as og
from offgraph.core.specs import ArraySpec
from offgraph.engine.files import header, open_image
from offgraph.engine.native_plan import native_file_target, resize_op, run_plan
from offgraph.engine.resize import weight_table
from offgraph.formats.decoding import read
from offgraph.geometry import GridMap, Resampling
from offgraph.plan.native import native_op
from offgraph.steps.ops import Grid

SAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}
KEY = og.Key(seed=3, epoch=1, index=5)


def photo(height: int, width: int, seed: int = 0, *, contrast: float = 1.0) -> np.ndarray:
    draws = np.random.default_rng(seed)
    rough = draws.uniform(-60, 60, (height // 7 + 2, width // 9 + 2, 3)).repeat(7, 0).repeat(9, 1)
    image = 128 + contrast * (rough[:height, :width] + draws.normal(0, 15, (height, width, 3)))
    return np.clip(image, 0, 255).astype(np.uint8)


def jpeg(image: np.ndarray, **how: Any) -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(image).save(out, "JPEG", **{"quality": 88, **how})
    return out.getvalue()


def given_file(data: bytes, **reading: Any) -> og.Targets:
    decoded = read(data, **reading)
    return og.Targets({"image": og.Image(decoded.array, decoded.axes).read_from(decoded.contents)})


def run(recipe: og.Compose, data: bytes, **reading: Any) -> np.ndarray:
    return recipe.run(given_file(data, **reading), KEY).image


def by_libjpeg(data: bytes, divisor: int) -> np.ndarray:
    """The scaled image by the libjpeg-turbo of Pillow."""
    image = Pillow.open(io.BytesIO(data))
    width, height = image.size
    image.draft(image.mode, (width // divisor, height // divisor))
    made = np.asarray(image)
    assert made.shape[:2] == (-(-height // divisor), -(-width // divisor))
    return made


def weighted(scaled: np.ndarray, size: tuple[int, int], made: tuple[int, int], divisor: int) -> np.ndarray:
    """The resize of an image of `size` whose blocks of pixels are those of a scaled one, in float64."""
    result = scaled.astype(np.float64)
    for axis, (given_length, length) in enumerate(zip(size, made, strict=True)):
        starts, counts, weights = weight_table(given_length, length, "triangle", True)
        matrix = np.zeros((length, scaled.shape[axis]))
        for position, (start, count) in enumerate(zip(starts, counts, strict=True)):
            for pixel in range(count):
                matrix[position, (start + pixel) // divisor] += weights[position][pixel]
        result = np.moveaxis(np.tensordot(matrix, result, (1, axis)), 0, axis)
    return result


@pytest.mark.parametrize("divisor", [2, 4, 8])
@pytest.mark.parametrize("sampling", [*SAMPLINGS, "grey"])
@pytest.mark.parametrize("restarts", [0, 3])
@given(
    blocks=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    more=st.tuples(st.integers(0, 7), st.integers(0, 7)),
    seed=st.integers(0, 99),
    contrast=st.sampled_from([0.0, 1.0, 9.0]),
)
@settings(max_examples=12)
def test_pixels_are_libjpeg_turbos(
    divisor: int,
    sampling: str,
    restarts: int,
    blocks: tuple[int, int],
    more: tuple[int, int],
    seed: int,
    contrast: float,
):
    height, width = (divisor * count + extra % divisor for count, extra in zip(blocks, more, strict=True))
    image = photo(height, width, seed, contrast=contrast)
    how = {"restart_marker_blocks": restarts} if restarts else {}
    if sampling == "grey":
        data = jpeg(image[..., 0], **how)
    else:
        data = jpeg(image, subsampling=SAMPLINGS[sampling], **how)
    found = scaled_by_plan(data, (divisor * blocks[0], divisor * blocks[1]), blocks)
    narrow = sampling in ("4:2:2", "4:2:0") and width <= 4  # not decoded by the core at all
    if found is None:
        assert narrow
        return
    # Colours of 4:2:2 are not decoded at an eighth, and narrow ones not at all at another scale.
    wide = [d for d in (4, 2) if d <= divisor and -(-width // d) > 4] if sampling == "4:2:2" else [divisor]
    used = (*wide, 1)[0]
    scaled = (by_libjpeg(data, used) if used > 1 else read(data).array).astype(np.float64)
    factor = divisor // used
    scaled = scaled[: factor * blocks[0], : factor * blocks[1]]
    means = scaled.reshape(blocks[0], factor, blocks[1], factor, *scaled.shape[2:]).mean((1, 3))
    assert np.array_equal(found, np.floor(means + 0.5))


def scaled_by_plan(data: bytes, kept: tuple[int, int], size: tuple[int, int]) -> np.ndarray | None:
    """The upper left part of a file, by means of whole blocks: the scaled image itself."""
    file = open_image(data)
    if file is None:
        return None
    found = header(file)
    channels = () if found.channels == 1 else (3,)
    crop = Grid(GridMap.crop((0, 0), kept, (found.height, found.width)), Resampling(0, "constant", 0.0))
    spec = ArraySpec((found.height, found.width, *channels), "uint8", "YXC" if channels else "YX")
    ops = [native_op(crop, spec), resize_op(kept, size, kernel="box", antialias=True)]
    output = np.empty((*size, *channels), np.uint8)
    made = [op for op in ops if op is not None]
    run_plan([native_file_target(file, output, made, is_rgb=bool(channels), decoding="scaled")])
    return output


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ordinary files of two classes, turned and not, and some that the native core does not decode."""
    root = tmp_path_factory.mktemp("photos")
    for name in ("cats", "dogs"):
        (root / name).mkdir()
    for number, (name, sampling) in enumerate(SAMPLINGS.items()):
        data = jpeg(photo(150 + number, 170, number), subsampling=sampling)
        (root / "cats" / f"{number}.jpg").write_bytes(data)
    for orientation in range(2, 9):
        data = jpeg(photo(163, 139, orientation), exif=exif(orientation))
        (root / "cats" / f"turned{orientation}.jpg").write_bytes(data)
    (root / "dogs" / "grey.jpg").write_bytes(jpeg(photo(149, 200, 20)[..., 0]))
    (root / "dogs" / "progressive.jpg").write_bytes(jpeg(photo(149, 200, 21), progressive=True))
    (root / "dogs" / "small.jpg").write_bytes(jpeg(photo(40, 47, 22)))
    Pillow.fromarray(photo(160, 170, 23)).save(root / "dogs" / "a.png")
    (root / "dogs" / "large.jpg").write_bytes(jpeg(photo(400, 470, 24)))
    return root


STEPS: dict[str, list[og.Step | og.Augment]] = {
    "resize": [og.Resize((40, 36))],
    "resized crop": [og.Augment(og.RandomResizedCrop((24, 20)))],
    "crop before": [og.CenterCrop((133, 130), pad=True), og.Flip("X"), og.Resize((33, 31), kernel="cubic")],
    "crop after": [og.Resize((60, 64)), og.CenterCrop((20, 20)), og.Normalize("imagenet")],
    "in Python": [
        og.Resize((30, 30)),
        og.Augment(og.ColorJitter(brightness=(0.7, 1.3), hue=(-20, 20))),
        og.Rescale(1 / 255),
    ],
    "affine": [og.Resize((40, 40)), og.Augment(og.Rotate((-20, 20)), og.Flip("Y", p=0.5))],
    "skips pixels": [og.Resize((20, 20), antialias=False)],
}


@pytest.mark.parametrize("fuse", [True, False])
@pytest.mark.parametrize("name", STEPS)
def test_batches_are_those_of_images_run_alone(photos: Path, name: str, fuse: bool):
    recipe = og.Compose(STEPS[name], fuse=fuse, decode="scaled")
    found: dict[int, list[np.ndarray]] = {}
    for threads in (1, 2):
        loader = og.Loader(photos, recipe, batch_size=4, threads=threads, seed=7, shuffle=False)
        found[threads] = [image for batch in loader for image in batch.image]
    source = og.open_source(photos)
    differs = 0
    for index, (one, two) in enumerate(zip(found[1], found[2], strict=True)):
        key = og.Key(seed=7, epoch=0, index=index)
        alone = recipe.run(source.read(index).targets, key).image
        full = og.Compose(STEPS[name], fuse=fuse).run(source.read(index).targets, key).image
        assert np.array_equal(one, alone) and np.array_equal(two, alone), source[index].name
        differs += not np.array_equal(alone, full)
        if source[index].name.endswith(("progressive.jpg", "a.png", "small.jpg")):
            assert np.array_equal(alone, full)
    assert differs == 0 if name == "skips pixels" else differs >= 4


@pytest.mark.parametrize("size", [(75, 85), (40, 36), (37, 23), (18, 21)])
def test_a_resize_stays_where_it_is(size: tuple[int, int]):
    data = jpeg(photo(150, 171, 3))
    divisor = max(d for d in (1, 2, 4, 8) if d <= min(150 // size[0], 171 // size[1]))
    found = run(og.Compose([og.Resize(size)], decode="scaled"), data)
    expected = weighted(by_libjpeg(data, divisor), (150, 171), size, divisor)
    assert divisor > 1
    assert np.abs(found - expected).max() <= 0.5 + 1e-9
    # A ramp is nowhere off by more than its own steps: nothing is moved.
    ramp = np.broadcast_to(np.linspace(10, 240, 171).astype(np.uint8)[None, :, None], (150, 171, 3))
    data = jpeg(np.ascontiguousarray(ramp), quality=100, subsampling=0)
    scaled, full = (run(og.Compose([og.Resize(size)], decode=how), data) for how in ("scaled", "full"))
    assert np.abs(scaled.astype(int) - full)[:, 1:-1].max() <= 2


def test_windows_and_full_decoding_are_equal(photos: Path):
    steps = [og.RandomCrop((32, 30)), og.Augment(og.RandomResizedCrop((20, 20)))]
    found = {
        how: [
            image
            for batch in og.Loader(photos, og.Compose(steps, decode=how), batch_size=5, seed=1, shuffle=False)
            for image in batch.image
        ]
        for how in ("window", "full")
    }
    assert len(found["full"]) == 15
    assert all(np.array_equal(one, other) for one, other in zip(found["window"], found["full"], strict=True))


def test_other_targets_do_not_notice():
    data = jpeg(photo(160, 160, 1))
    given = given_file(data)
    labels = np.random.default_rng(0).integers(0, 5, (160, 160), np.uint8)
    given = given.replaced(mask=og.Mask(labels), boxes=og.Boxes([[3, 4, 50, 60]], "xyxy", size=(160, 160)))
    scaled, full = (
        og.Compose([og.Resize((40, 40)), og.Rotate(20)], decode=how).run(given, KEY)
        for how in ("scaled", "full")
    )
    assert not np.array_equal(scaled.image, full.image)
    assert np.array_equal(scaled.mask, full.mask)
    assert np.array_equal(scaled.boxes.array, full.boxes.array)
    assert scaled.record["steps"] == full.record["steps"]
    assert scaled.frame.undo(mask=scaled.mask).shape == (160, 160)


def test_an_array_has_no_file():
    image = photo(160, 160)
    recipe = og.Compose([og.Resize((40, 40))], decode="scaled")
    assert np.array_equal(recipe(image=image).image, og.Compose(recipe.items)(image=image).image)


def test_damage_is_refused_as_ever(tmp_path: Path):
    data = jpeg(photo(160, 160))
    for name, broken in {"cut": data[:-900], "noise": data[:700] + bytes(60) + data[760:]}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").write_bytes(broken)
        errors = []
        for how in ("full", "scaled"):
            recipe = og.Compose([og.Resize((40, 40))], decode=how)
            try:
                list(og.Loader(tmp_path / name, recipe, batch_size=1))
                errors.append("")
            except og.OffgraphError as error:
                errors.append(str(error))
        assert errors[0] == errors[1]


def test_it_is_part_of_the_identity(tmp_path: Path):
    steps = [og.Resize((40, 40)), og.Augment(og.Flip("X", p=0.5))]
    window, full, scaled = (og.Compose(steps, decode=how) for how in ("window", "full", "scaled"))
    assert window.fingerprint == full.fingerprint != scaled.fingerprint
    assert window.digest == full.digest != scaled.digest
    assert scaled.eval().decode == "scaled"
    assert scaled.eval().fingerprint == scaled.fingerprint
    assert og.explain_mismatch(window, scaled) == "decode is 'window' in the first and 'scaled' in the second"
    assert og.explain_mismatch(window, full) == ""
    assert repr(scaled).endswith(", decode='scaled')")
    for recipe in (window, full, scaled):
        recipe.to_yaml(tmp_path / "recipe.yaml")
        for again in (
            og.Compose.from_yaml(tmp_path / "recipe.yaml"),
            og.Compose.from_dict(recipe.to_dict()),
            eval(
                repr(recipe), {name: getattr(og, name) for name in ("Compose", "Resize", "Augment", "Flip")}
            ),
        ):
            assert (again.decode, again.digest) == (recipe.decode, recipe.digest)
    with pytest.raises(og.RecipeError, match="line 2: decode is window, full or scaled, got 'half'"):
        og.Compose.from_yaml("offgraph: 1\ndecode: half\nsteps: []\n")
    with pytest.raises(og.StepError, match="decode='half': write 'window', 'full' or 'scaled'"):
        og.Compose(steps, decode="half")  # type: ignore[arg-type]


def test_the_error_is_measured(photos: Path):
    recipe = og.Compose([og.Resize((30, 32)), og.Augment(og.Flip("X", p=0.5))], decode="scaled")
    source = og.open_source(photos)
    found = og.decoding_error(source, recipe)
    differences = []
    for index in range(len(source)):
        given, key = source.read(index).targets, og.Key(index=index)
        one, other = (r.run(given, key).image.astype(int) for r in (recipe, og.Compose(recipe.items)))
        differences.append(np.abs(one - other).ravel())
    flat = np.concatenate(differences)
    assert found.images == len(source) == 15
    assert found.largest == flat.max() > 0
    assert found.mean == pytest.approx(flat.mean())
    assert (flat <= found.most).mean() >= 0.999 > (flat <= found.most - 1).mean()
    assert f"the largest difference {found.largest:g}" in str(found)
    whole = og.decoding_error(source, [og.CenterCrop((20, 20))])
    assert "nothing was decoded at another scale" in str(whole)


def test_a_build_and_a_benchmark_say_the_error(photos: Path, tmp_path: Path):
    recipe = og.Compose([og.Resize((30, 32)), og.Normalize("imagenet")], decode="scaled")
    report = og.build(photos, tmp_path / "out", recipe, progress=False)
    said = str(og.decoding_error(photos, recipe))
    assert said in report.summary()
    built = [
        image for batch in og.Loader(tmp_path / "out", batch_size=4, shuffle=False) for image in batch.image
    ]
    files = [
        image for batch in og.Loader(photos, recipe, batch_size=4, shuffle=False) for image in batch.image
    ]
    assert all(np.array_equal(one, other) for one, other in zip(built, files, strict=True))
    bench = og.Loader(photos, recipe, batch_size=4).benchmark(images=8)
    assert str(bench.decoding) == said
    assert og.Loader(photos, og.Compose(recipe.items), batch_size=4).benchmark(images=8).decoding is None


def test_a_cache_keeps_what_was_decoded_so(photos: Path):
    recipe = og.Compose(
        [og.Resize((30, 32)), og.Augment(og.Flip("X", p=0.5)), og.Normalize("imagenet")], decode="scaled"
    )
    loader = og.Loader(photos, recipe, batch_size=4, seed=2)
    cached = og.Loader(photos, recipe, batch_size=4, seed=2).cache("memory")
    for _ in range(2):
        for one, other in zip(loader, cached, strict=True):
            assert np.array_equal(one.image, other.image)
    assert "after step 1, Resize" in str(cached.cache_info())
    with pytest.raises(og.ArgumentError, match="at another scale, for a resize that comes later"):
        og.Loader(photos, recipe).cache("memory", after="decode")
    drawn = og.Compose([og.Augment(og.RandomResizedCrop((20, 20)))], decode="scaled")
    with pytest.raises(og.ArgumentError, match="write decode='window' for a cache"):
        og.Loader(photos, drawn).cache("memory")
