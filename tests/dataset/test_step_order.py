"""A stored dataset gives what the files give, or the build says that its recipe moves masks and boxes twice."""

from __future__ import annotations

import itertools
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from tests.support.made import class_folder, image_file, paired_folder

import offgraph as og
from offgraph.core.errors import OffgraphWarning

STEPS: dict[str, list[og.Step | og.Augment]] = {
    "none": [],
    "Rotate": [og.Rotate(17)],
    "Flip": [og.Flip("X")],
    "MedianFilter": [og.MedianFilter(3)],
    "Augment": [og.Augment(og.Rotate((-20, 20)))],
}
MOVES = ("Rotate", "Flip", "Augment")


def boxed_folder(root: Path) -> og.Source:
    """Two images with two boxes each, and COCO's file of them."""
    boxes = [(0, [11, 9, 9, 6]), (1, [18, 12, 12, 10])]
    for name in ("a.png", "b.png"):
        image_file(root / name, np.full((30, 40, 3), 90, np.uint8))
    data = {
        "images": [
            {"id": i, "file_name": f"{name}.png", "height": 30, "width": 40} for i, name in enumerate("ab")
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(("car", "cow"))],
        "annotations": [
            {"id": 2 * image + label, "image_id": image, "category_id": label, "bbox": box}
            for image in range(2)
            for label, box in boxes
        ],
    }
    (root / "boxes.json").write_text(json.dumps(data))
    return og.open_source(root, annotations="boxes.json")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, og.Source]:
    root = tmp_path_factory.mktemp("sources")
    images, masks = paired_folder(root / "paired", count=2)
    return {
        "masks": og.open_source(images, masks=masks),
        "boxes": boxed_folder(root / "boxed"),
        "labels": og.open_source(class_folder(root / "classes", each=1)),
    }


def built(source: og.Source, out: Path, recipe: og.Compose, **options: object) -> list[str]:
    """Build, and return the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        og.build(source, out, recipe, workers=1, **options)  # type: ignore[arg-type]
    assert all(one.category is OffgraphWarning and one.filename == __file__ for one in caught)
    return [str(one.message) for one in caught]


def fed(loader: og.Loader) -> list[tuple[bytes, ...]]:
    """Images, masks and boxes of an epoch."""
    found = []
    for batch in loader:
        boxes = () if batch.objects is None else (np.asarray(batch.objects.boxes).tobytes(),)
        assert not isinstance(batch.mask, tuple)
        mask = () if batch.mask is None else (batch.mask.tobytes(),)
        found.append((batch.image.tobytes(), *mask, *boxes))
    return found


@pytest.mark.parametrize("kind", ["masks", "boxes", "labels"])
@pytest.mark.parametrize("fuse", [True, False])
def test_without_a_warning_a_loader_gives_what_the_files_give(
    sources: dict[str, og.Source], tmp_path: Path, kind: str, fuse: bool
) -> None:
    source, differing = sources[kind], 0
    for before, after in itertools.product(STEPS, STEPS):
        out = tmp_path / f"{before}-{after}"
        recipe = og.Compose([*STEPS[before], og.Rescale(1 / 255), *STEPS[after]], fuse=fuse)
        said = built(source, out, recipe)
        files = fed(og.Loader(source, recipe, batch_size=1, shuffle=False))
        stored = fed(og.Loader(out, batch_size=1, shuffle=False))
        assert [one[0] for one in files] == [one[0] for one in stored]
        twice = before in MOVES and after in MOVES
        assert bool(said) == (twice and (kind == "boxes" or (kind == "masks" and fuse)))
        assert said or files == stored
        differing += files != stored
    assert (differing > 0) == (kind == "boxes" or (kind == "masks" and fuse))


def test_the_warning_names_the_steps_and_what_to_do(sources: dict[str, og.Source], tmp_path: Path) -> None:
    recipe = og.Compose(
        [og.Resize((20, 24)), og.Rescale(1 / 255), og.Flip("Y"), og.Augment(og.Rotate((0, 9)))]
    )
    for number, options in enumerate(({}, {"format": "webdataset"}, {"dry_run": True}, {"val": 1})):
        (said,) = built(sources["masks"], tmp_path / str(number), recipe, **options)
        assert said.startswith(
            "step 3, Flip, comes after the steps that are stored, and step 1, Resize, is one of"
        )
        assert "masks are stored" in said
        assert said.endswith(
            "before the step that makes floats (step 2, Rescale), or build with store='final'"
        )
    # Run again, the build of a finished dataset says it too: it is what the loader will read.
    assert len(built(sources["masks"], tmp_path / "0", recipe)) == 1


def test_what_is_stored_as_a_whole_gives_no_warning(sources: dict[str, og.Source], tmp_path: Path) -> None:
    moved = [og.Rotate(17), og.Rescale(1 / 255), og.Rotate(5)]
    final = og.Compose(moved)
    assert not built(sources["masks"], tmp_path / "final", final, store="final")
    files = fed(og.Loader(sources["masks"], final, batch_size=1, shuffle=False))
    assert files == fed(og.Loader(tmp_path / "final", batch_size=1, shuffle=False))
    assert not built(sources["masks"], tmp_path / "order", og.Compose([*moved[::2], moved[1]]))
    # Without floats all is stored.
    assert not built(sources["masks"], tmp_path / "none", og.Compose([og.Flip("X"), og.Flip("Y")]))
