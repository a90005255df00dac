"""The scripts for folders of one's own, on small images: what they choose and compare is what they say."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from tests.support.models import keras

import offgraph as og

SCRIPTS = Path(__file__).parents[2] / "examples" / "demo"


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the scripts, from which they import one another."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    keras.utils.set_random_seed(3)


def run(name: str, *arguments: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a script with a command line."""
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
    script = __import__(name)
    with pytest.raises(SystemExit) as ended:
        typer.run(script.main)
    assert not ended.value.code


@pytest.mark.usefixtures("scripts")
def test_the_split_is_chosen_by_validation_images(tmp_path: Path):
    """By the best of all pairs on them, for a model that says what is bright."""
    import nuclei  # pyright: ignore[reportMissingImports]

    nuclei.write_images(tmp_path / "images", tmp_path / "masks", 3)
    source = og.open_source(tmp_path / "images", masks=tmp_path / "masks", color="grey")

    def bright(batch: np.ndarray) -> np.ndarray:
        return (batch > 0.25).astype(np.float32)

    predictor = og.Predictor(
        bright, recipe=[og.GaussianFilter(1.5), og.Rescale(1 / 100)], task="segment", input_shape=(None, None, 1)
    )  # fmt: skip
    split = nuclei.chosen_split(predictor, source)
    images = [(one.probabilities, nuclei.true_mask(one)) for one in predictor(source)]
    scores = {
        (h, sigma): nuclei.precision(nuclei.Split(h, sigma, 0, 0), images)
        for h in nuclei.DEPTHS
        for sigma in nuclei.SMOOTHING
    }
    assert split.precision == scores[split.h, split.sigma] == max(scores.values()) > min(scores.values())
    assert split.images == 3 and split.steps[-1] == og.DistanceWatershed(h=split.h, sigma=split.sigma)
    equal = [pair for pair, score in scores.items() if score == split.precision]
    assert (split.h, split.sigma) == max(equal), "of equal ones that which splits less"


@pytest.mark.usefixtures("scripts")
def test_a_mosaic_by_tiles_is_the_mosaic_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import nuclei  # pyright: ignore[reportMissingImports]
    from unet import unet  # pyright: ignore[reportMissingImports]

    nuclei.write_images(tmp_path / "images", tmp_path / "masks", 3)
    model = unet((4, 6, 8))
    last = model.layers[-1]
    last.set_weights([last.get_weights()[0] * 40, np.array([-1.0])])
    steps = nuclei.Split(0.5, 1.0, 0, 0).steps
    og.save(model, nuclei.recipe(64), tmp_path / "nuclei.keras", postprocess=steps, class_names=("nucleus",))
    run("mosaic", tmp_path / "nuclei.keras", tmp_path / "images", tmp_path / "out", "--side", 330, "--tiles", 128,
        monkeypatch=monkeypatch)  # fmt: skip
    told = json.loads((tmp_path / "out" / "mosaic.json").read_text())
    assert told["mosaic"] == [330, 330] and told["first"] == "whole"
    for blend in ("none", "gaussian"):
        found = told[f"tiles of 128, blend {blend}"]
        assert found["same_objects"] and found["objects"] == found["others"] > 3
        assert found["largest"] < 2e-6 and (found["different"] == 0) == (found["largest"] == 0)


@pytest.mark.usefixtures("scripts")
def test_objects_are_compared_up_to_their_numbers():
    import mosaic  # pyright: ignore[reportMissingImports]

    one = np.array([[1, 1, 0, 2], [0, 0, 3, 3]])
    assert mosaic.same_up_to_numbers(one, np.array([[7, 7, 0, 1], [0, 0, 2, 2]]))
    for other in ([[1, 1, 0, 2], [0, 0, 2, 2]], [[1, 4, 0, 2], [0, 0, 3, 3]], [[1, 1, 2, 2], [0, 0, 3, 3]]):
        assert not mosaic.same_up_to_numbers(one, np.array(other))


@pytest.mark.usefixtures("scripts")
def test_variants_of_clothing_are_chosen_by_validation_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Stripes along rows and along both axes, which all symmetries leave apart."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 24), ("test", 8)):
        for kind in ("plain", "striped"):
            (tmp_path / part / kind).mkdir(parents=True)
            for number in range(count):
                image = rng.integers(90, 110, (70, 60, 3))
                image[:: 6 if kind == "striped" else 70] += 120
                og.imwrite(tmp_path / part / kind / f"{number}.png", image.astype(np.uint8))
    run("clothing", tmp_path / "train", tmp_path / "test", tmp_path / "out", "--epochs", 2,
        monkeypatch=monkeypatch)  # fmt: skip
    told: dict[str, Any] = json.loads((tmp_path / "out" / "clothing.json").read_text())
    chosen, held = told["chosen by validation images"], told["held out"]
    assert chosen["images"] == 12 and held["images"] == 16
    assert [row["name"] for row in held["rows"]] == ["none", "mirrored", "flips", "d4"]
    assert all(row["untrained"] == [] for row in held["rows"]), "training drew all of them"
    assert chosen["chosen"] in ("none", "mirrored", "flips", "d4") and told["seconds of training"] > 0
    resized = {row["name"]: row for row in told["other resizes"]["rows"]}
    assert resized['Resize.kernel = "triangle"']["change"] == [0, 0, 0]
    assert resized["corner grid"]["kind"] == "recipe" and resized["corner grid"]["shift"] > 1e-5
    assert resized["OpenCV: resize"]["images"] == 16 and resized["Resize.antialias = false"]["shift"] > 1e-5
    saved = og.load(tmp_path / "out" / "clothing.keras")
    made = [one.label == one.item.label for one in og.Predictor(saved, tta="d4")(tmp_path / "test")]
    assert held["rows"][3]["score"][0] == pytest.approx(np.mean(made))
