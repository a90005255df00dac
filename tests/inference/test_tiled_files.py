"""Images that are predicted from disk to disk: the bytes of the run in memory, also after it was killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

import offgraph as og
from offgraph.inference.tiling import stream

pytest.importorskip("skimage", reason="scikit-image is not installed")


class Killed(BaseException):
    """Ends a run as an interrupt does: no error of the model."""


def smooth(batch: np.ndarray) -> np.ndarray:
    """A model that looks 3 pixels far along each axis, in sums of whole numbers, which have no rounding."""
    axes = batch.ndim - 2
    values = np.rint(batch[..., 0] * 255).astype(np.int64)
    for axis in range(1, axes + 1):
        values = ndimage.correlate1d(values, np.ones(7, np.int64), axis, mode="constant")
    return (values / np.float64(7**axes * 255)).astype(np.float32)[..., None]


def classes(batch: np.ndarray) -> np.ndarray:
    """Three classes, of their logits."""
    one = smooth(batch)[..., 0]
    return np.stack([0.4 - one, one - 0.4, (one - 0.5) * 3], axis=-1)


def scene(size: tuple[int, ...], seed: int = 0) -> np.ndarray:
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=size), 2.2)
    return np.clip(128 + 300 * field / field.std() / 3, 0, 255).astype(np.uint8)


EYE: Any = np.eye(3).tolist()
OBJECTS = [og.Threshold(0.55), og.FillHoles(), og.RemoveSmall(12), og.DistanceWatershed(0.5)]
RECIPE = [og.MedianFilter(3), og.GaussianFilter(1.0), og.Rescale(1 / 255)]


def predictor(
    model: Any = smooth, steps: Any = None, *, tiled: bool = True, axes: int = 2, **options: Any
) -> og.Predictor:
    options = {
        "recipe": RECIPE,
        "task": "segment",
        "outputs": "probabilities",
        "input_shape": (None,) * axes + (1,),
        "postprocess": OBJECTS if steps is None else steps,
        **options,
    }
    if tiled:
        options = {
            "tiles": (32, 40) if axes == 2 else (12, 16, 20),
            "overlap": 6,
            "blend": "none",
            "batch_size": 3,
        } | options
    return og.Predictor(model, **options)


@pytest.fixture(autouse=True)
def _strips_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_MOST", 900)


def test_a_mask_from_disk_to_disk(tmp_path: Path) -> None:
    image = scene((150, 133))
    og.imwrite(tmp_path / "image.tif", image)
    np.save(tmp_path / "image.npy", image)
    expected = predictor(tiled=False)(image)
    assert expected.mask is not None and expected.mask.max() > 20
    shares: list[float] = []
    for source, out in (("image.tif", "mask.npy"), ("image.npy", "mask.tif")):
        made = predictor().to_file(
            tmp_path / source,
            tmp_path / out,
            probabilities=tmp_path / f"{source}.p.npy",
            progress=shares.append,
        )
        found = og.imread(tmp_path / out)
        assert (
            made.path == tmp_path / out
            and made.shape == image.shape
            and made.dtype == found.dtype == np.int32
        )
        assert found.tobytes() == expected.mask.tobytes()
        assert made.highest == expected.mask.max() and not made.resumed
        assert np.load(tmp_path / f"{source}.p.npy").tobytes() == expected.probabilities.tobytes()
        assert not list(tmp_path.glob("*.tiles"))
    assert shares[-1] == 1.0 and max(np.diff(shares[: len(shares) // 2])) < 0.5
    assert made.tiles == len(range(0, 150 - 32, 26)) * 4 + 4


@pytest.mark.parametrize("blend", ["gaussian", "linear"])
def test_weighted_tiles_from_disk_are_those_in_memory(blend: Any, tmp_path: Path) -> None:
    image = scene((90, 101), 1)
    options: dict[str, Any] = {"overlap": (12, 10), "blend": blend, "recipe": [og.Rescale(1 / 255)]}
    expected = predictor(**options)(image)
    predictor(**options).to_file(image, tmp_path / "mask.npy", probabilities=tmp_path / "p.npy")
    assert np.load(tmp_path / "p.npy").tobytes() == expected.probabilities.tobytes()
    assert np.load(tmp_path / "mask.npy").tobytes() == expected.mask.tobytes()  # pyright: ignore[reportOptionalMemberAccess]


@pytest.mark.parametrize("tta", [None, "flips"])
def test_classes_of_a_volume(tta: Any, tmp_path: Path) -> None:
    volume = scene((30, 41, 37), 2)
    options: dict[str, Any] = {"axes": 3, "outputs": "logits", "recipe": [og.Rescale(1 / 255)], "tta": tta}
    for number, steps in enumerate(([og.ArgMax()], [og.ArgMax(), og.FillHoles(), og.Label(connectivity=3)])):
        expected = predictor(classes, steps, tiled=False, **options)(volume)
        np.save(tmp_path / "volume.npy", volume)
        made = predictor(classes, steps, **options).to_file(
            tmp_path / "volume.npy",
            tmp_path / f"{number}.tif",
            axes="ZYX",
            probabilities=tmp_path / f"{number}.npy",
        )
        assert expected.mask is not None and expected.mask.max() >= 2
        assert og.imread(tmp_path / f"{number}.tif").tobytes() == expected.mask.tobytes()
        assert np.load(tmp_path / f"{number}.npy").shape == (30, 41, 37, 3)
        assert made.highest == expected.mask.max()


def test_ensembles_and_colours(tmp_path: Path) -> None:
    image = np.stack([scene((70, 80), n) for n in range(3)], axis=-1)

    def redder(batch: np.ndarray) -> np.ndarray:
        return smooth(batch[..., :1])

    def bluer(batch: np.ndarray) -> np.ndarray:
        return smooth(batch[..., 2:])

    options: dict[str, Any] = {
        "input_shape": (None, None, 3),
        "recipe": [og.ColorMatrix(EYE), og.Rescale(1 / 255)],
    }
    expected = predictor([redder, bluer], tiled=False, **options)(image)
    predictor([redder, bluer], **options).to_file(image, tmp_path / "mask.npy")
    assert np.array_equal(np.load(tmp_path / "mask.npy"), expected.mask)


def test_an_image_smaller_than_a_tile(tmp_path: Path) -> None:
    for size in ((9, 17), (1, 1), (33, 40)):
        image = scene((40, 40))[: size[0], : size[1]]
        made = predictor(steps=[og.Threshold(0.5)]).to_file(image, tmp_path / f"{size[0]}.npy")
        expected = predictor(steps=[og.Threshold(0.5)], tiled=False)(image)
        assert np.array_equal(np.load(made.path), expected.mask)


@pytest.mark.parametrize("blend", ["gaussian", "none"])
def test_a_run_that_ended_early_goes_on_to_the_same_bytes(
    blend: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended at each batch of tiles in turn, and then within each pass over the mask."""
    image = scene((120, 90), 3)
    options: dict[str, Any] = {"blend": blend, "overlap": 20}
    whole = predictor(**options).to_file(
        image, tmp_path / "whole.npy", probabilities=tmp_path / "whole.p.npy"
    )
    left = [0]

    def dying(batch: np.ndarray) -> np.ndarray:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return smooth(batch)

    real, tries = stream.run_stage, 0

    def dying_stage(*args: Any, **named: Any) -> Any:
        def progress(share: float) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Killed

        return real(*args, **named | {"progress": progress})

    monkeypatch.setattr(stream, "run_stage", dying_stage)
    resumed = predictor(dying, **options)
    while True:
        tries += 1
        left[0] = 4 + 5 * tries if tries < 4 else 2 + 13 * tries
        try:
            made = resumed.to_file(image, tmp_path / "out.npy", probabilities=tmp_path / "p.npy")
        except Killed:
            assert not (tmp_path / "out.npy").exists() and tries < 40
        else:
            break
    assert tries > 3 and made.resumed and made.highest == whole.highest
    for one, other in (("out.npy", "whole.npy"), ("p.npy", "whole.p.npy")):
        assert (tmp_path / one).read_bytes() == (tmp_path / other).read_bytes()


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from tests.inference.test_tiled_files import predictor, scene, smooth
left = int(sys.argv[3])
def model(batch):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return smooth(batch)
model.__name__ = "smooth"
predictor(model).to_file(scene((150, 133)), sys.argv[2])
"""


def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    out = tmp_path / "mask.npy"
    root = str(Path(__file__).parents[2])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, root, str(out), "9"], capture_output=True, check=False
    )
    assert killed.returncode == -9, killed.stderr.decode()
    assert not out.exists() and (tmp_path / "mask.npy.tiles" / "job.json").exists()
    made = predictor().to_file(scene((150, 133)), out)
    assert made.resumed
    predictor().to_file(scene((150, 133)), tmp_path / "again.npy")
    assert out.read_bytes() == (tmp_path / "again.npy").read_bytes()


def test_a_folder_of_another_run_is_not_gone_on_with(tmp_path: Path) -> None:
    image = scene((80, 60))

    def dying(batch: np.ndarray) -> np.ndarray:
        if batch.max() > 0 and len(seen) > 2:
            raise Killed
        seen.append(1)
        return smooth(batch)

    seen: list[int] = []
    with pytest.raises(Killed):
        predictor(dying).to_file(image, tmp_path / "mask.npy")
    changes: list[tuple[dict[str, Any], str]] = [
        ({"blend": "linear"}, "another tiles"),
        ({"steps": [og.Threshold(0.3)]}, "another postprocess"),
    ]
    for options, said in changes:
        with pytest.raises(og.OffgraphError, match=said):
            predictor(dying, **options).to_file(image, tmp_path / "mask.npy")
    with pytest.raises(og.OffgraphError, match="another image"):
        predictor(dying).to_file(scene((80, 60), 9), tmp_path / "mask.npy")
    (tmp_path / "mask.npy.tiles" / "job.json").write_text("{")
    with pytest.raises(og.OffgraphError, match=r"job\.json: is damaged; remove"):
        predictor(dying).to_file(image, tmp_path / "mask.npy")


@pytest.mark.filterwarnings("ignore:step 1, GaussianFilter. draws")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"recipe": [og.Rotate(10)]}, r"step 1, Rotate.*moves pixels.*Predict into memory"),
        (
            {"recipe": [og.Rescale(1 / 255), og.ZScore()]},
            r"step 2, ZScore\(\), looks at all values of the image",
        ),
        ({"recipe": [og.GaussianFilter((0, 2))]}, "step 1.*draws"),
        ({"recipe": [og.MedianFilter(3, mode="grid-wrap")]}, "reach that is not known"),
        (
            {"recipe": [og.Lambda(og.function("tiles:half", lambda image: image // 2))]},
            "reach that is not known",
        ),
        ({"steps": [og.Threshold(0.5, method="otsu")]}, "looks at the whole image"),
        ({"tiled": False}, "give the predictor tiles="),
    ],
)
def test_what_needs_the_whole_image_is_refused(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(og.OffgraphError, match=said):
        predictor(**options).to_file(scene((80, 60)), tmp_path / "mask.npy")
    assert not list(tmp_path.iterdir())


def test_files_that_cannot_be_written(tmp_path: Path) -> None:
    image = scene((40, 40))
    (tmp_path / "there.npy").write_bytes(b"")
    for out, said in (
        ("mask.png", r"ends in \.npy or \.tif"),
        ("there.npy", "is there already"),
        ("no/mask.npy", "there is no folder"),
    ):
        with pytest.raises(og.OffgraphError, match=said):
            predictor().to_file(image, tmp_path / out)
    with pytest.raises(og.OffgraphError, match=r"probabilities=.*ends in \.npy"):
        predictor().to_file(image, tmp_path / "mask.npy", probabilities=tmp_path / "p.tif")


def test_nan_wrong_shapes_and_wrong_channels_name_the_tile(tmp_path: Path) -> None:
    image = np.zeros((70, 70), np.uint8)
    image[65, 60] = 255

    def nan(batch: np.ndarray) -> np.ndarray:
        return np.where(batch > 0.2, np.nan, batch)

    def small(batch: np.ndarray) -> np.ndarray:
        return batch[:, : 30 if batch.max() > 0.2 else None]

    options: dict[str, Any] = {"recipe": [og.Rescale(1 / 255)], "batch_size": 1}
    for number, (model, said) in enumerate(
        ((nan, r"the tile at \(38, 30\) has NaN"), (small, r"the model makes \(30, 40\)"))
    ):
        with pytest.raises(og.StepError, match=said):
            predictor(model, **options).to_file(image, tmp_path / f"{number}.npy")
    with pytest.raises(og.StepError, match=r"the recipe makes .* the model takes"):
        predictor(**options).to_file(np.zeros((70, 70, 3), np.uint8), tmp_path / "colour.npy")
    assert not (tmp_path / "colour.npy.tiles").exists(), "nothing is done that another run could go on with"
    made = predictor(**options).to_file(np.zeros((70, 70), np.uint8), tmp_path / "empty.npy")
    assert made.highest == 0 and not np.load(made.path).any()
