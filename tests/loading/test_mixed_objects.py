"""Boxes, outlines, keypoints and instance masks of mixed images against a plain definition."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import offgraph as og

SIZE = (12, 16)
COUNTS = (2, 0, 3, 1, 2, 4, 1)
PLAIN = [og.Normalize(mean=0, std=1)]


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> og.Source:
    """Seven images of noise with 0 to 4 boxes, on quarters of pixels, each with its outline and two keypoints."""
    root = tmp_path_factory.mktemp("boxes")
    rng = np.random.default_rng(3)
    images, annotations = [], []
    for number, count in enumerate(COUNTS):
        og.imwrite(root / f"{number}.png", rng.integers(0, 255, (*SIZE, 3)).astype(np.uint8))
        images.append({"id": number, "file_name": f"{number}.png", "height": SIZE[0], "width": SIZE[1]})
        for k in range(count):
            x, y = rng.integers(0, 40) / 4, rng.integers(0, 24) / 4
            w, h = rng.integers(4, 24) / 4, rng.integers(4, 24) / 4
            x, y = min(x, SIZE[1] - w), min(y, SIZE[0] - h)
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": number,
                    "category_id": (number + k) % 3,
                    "bbox": [x, y, w, h],
                    "keypoints": [int(x + w / 2), int(y + h / 2), 2, int(x), int(y), 1],
                    "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]],
                }
            )
    categories = [{"id": i, "name": name, "keypoints": ["left_a", "right_a"]} for i, name in enumerate("abc")]
    data = {"images": images, "annotations": annotations, "categories": categories}
    (root / "instances.json").write_text(json.dumps(data))
    return og.open_source(root, masks="instances")


def without_masks(source: og.Source) -> og.Source:
    return og.open_source(source.root)


def loaders(source, mix, **options):
    shared = {"batch_size": 5, "seed": 4, "shuffle": True, "boxes": "ragged", **options}
    return og.Loader(source, PLAIN, **shared), og.Loader(source, PLAIN, mix=mix, **shared)


def moved_span(first, last, box, shown):
    """An interval [first, last] of an image, from its window `shown` to the place `box` of the mixed one, cut off there."""
    (s0, s1), (b0, b1) = shown, box
    if b0 == b1:  # nothing is seen
        return [b0, b0], 0.0
    scale = (b1 - b0) / (s1 - s0)
    cut = max(first, s0), min(last, s1)
    return [b0 + (end - s0) * scale for end in cut], max(0.0, cut[1] - cut[0]) / (last - first)


def through(part, boxes, points, visible):
    """Boxes (x0, y0, x1, y1) that a part shows, the share of each that is left, its points, and whether they are seen."""
    rows, columns = part["box"]
    row_of, column_of = part.get("shown", part["box"])
    made, shares, places, seen = [], [], [], []
    for (x0, y0, x1, y1), own, flags in zip(boxes.astype(float), points.astype(float), visible):
        (left, right), wide = moved_span(x0, x1, columns, column_of)
        (top, bottom), high = moved_span(y0, y1, rows, row_of)
        made.append((left, top, right, bottom))
        shares.append(wide * high)
        here, flagged = [], []
        for (x, y), flag in zip(own, flags):
            (px, _), _ = moved_span(x, x + 1, columns, (column_of[0], column_of[1]))
            scale = [(b[1] - b[0]) / max(1, s[1] - s[0]) for b, s in ((columns, column_of), (rows, row_of))]
            px, py = columns[0] + (x - column_of[0]) * scale[0], rows[0] + (y - row_of[0]) * scale[1]
            inside = columns[0] <= px <= columns[1] and rows[0] <= py <= rows[1]
            here.append((px, py))
            flagged.append(flag if inside else 0)
        places.append(here)
        seen.append(flagged)
    return made, shares, places, seen


def uncovered(part, boxes, points, visible):
    """The same of an image over which a part is pasted; boxes on a raster of quarter pixels."""
    (r0, r1), (c0, c1) = part["box"]
    made, shares, seen = [], [], []
    y, x = np.meshgrid((np.arange(4 * SIZE[0]) + 0.5) / 4, (np.arange(4 * SIZE[1]) + 0.5) / 4, indexing="ij")
    hidden = (y > r0) & (y < r1) & (x > c0) & (x < c1)
    for (x0, y0, x1, y1), own, flags in zip(boxes, points, visible):
        whole = (y > y0) & (y < y1) & (x > x0) & (x < x1)
        left = whole & ~hidden
        shares.append(left.sum() / whole.sum())
        where = np.argwhere(left)
        (top, low), (bottom, high) = (where.min(0), where.max(0) + 1) if len(where) else ((0, 0), (0, 0))
        made.append((low / 4, top / 4, high / 4, bottom / 4))
        seen.append([0 if r0 <= py < r1 and c0 <= px < c1 else f for (px, py), f in zip(own, flags)])
    return made, shares, points.tolist(), seen


def check_row(batch, plain, row, least_visible=0.0, least_area=0.0):
    """Compare the objects of a mixed image with the definition, by what its record says."""
    record, objects = batch.records[row]["mix"], batch.objects
    rows_of = {int(index): place for place, index in enumerate(plain.index)}
    parts = record.get("parts", [record])
    wanted: list[tuple[Any, ...]] = []
    first = 0
    for number, part in enumerate([None, *parts]):
        place = row if part is None else rows_of[part["partner"]["index"]]
        given = [getattr(plain.objects, name)[place] for name in ("boxes", "points", "visible")]
        classes, weight = plain.objects.classes[place], 1.0
        if record["step"] == "MixUp":
            found = given[0].tolist(), [1.0] * len(classes), given[1].tolist(), given[2].tolist()
            weight = record["lam"] if part is None else 1 - record["lam"]
        elif part is None:
            found = (
                uncovered(parts[0], *given) if record["step"] == "CutMix" else through(record["own"], *given)
            )
        else:
            found = through(part, *given)
        listed = []
        for k, (box, share, points, visible) in enumerate(zip(*found)):
            area = (box[2] - box[0]) * (box[3] - box[1])
            if share <= 1e-9 or share < least_visible or area < least_area:
                continue
            listed.append(k)
            origin = int(plain.index[place]), k
            wanted.append((box, classes[k], first + k, weight, origin, points, visible))
        assert (record["own"] if part is None else part)["objects"] == listed
        most = int(plain.mask[place].max()) if plain.mask is not None else 0
        first += max(most, len(classes))
    names = ("boxes", "classes", "index", "weights", "origin", "points", "visible")
    made = [getattr(objects, name)[row] for name in names]
    assert len(wanted) == len(made[0])
    for k, (box, label, number, weight, origin, points, visible) in enumerate(wanted):
        np.testing.assert_allclose(made[0][k], box, rtol=0, atol=1e-5)
        assert (made[1][k], made[2][k], tuple(made[4][k])) == (label, number, origin)
        assert made[3][k] == np.float32(weight) and made[6][k].tolist() == visible
        np.testing.assert_allclose(made[5][k], points, rtol=0, atol=1e-5)


MIXES = [
    og.MixUp(1.0),
    og.CutMix(),
    og.CutMix(min_visibility=0.4, min_area=3),
    og.Mosaic(0.2),
    og.Mosaic(0.1, fit="join"),
    og.Mosaic(0.3, fit="resize", min_visibility=0.3, min_area=2),
    og.Mosaic(0.0, fit="join", min_visibility=0.5),
]


@pytest.mark.parametrize("mix", MIXES, ids=str)
def test_objects_go_with_the_pixels_of_their_image(source, mix):
    plain, mixed = loaders(without_masks(source), mix)
    least = getattr(mix, "min_visibility", 0.0), getattr(mix, "min_area", 0.0)
    counted = 0
    for epoch in range(6):
        for one, other in zip(plain.epoch(epoch), mixed.epoch(epoch), strict=True):
            assert one.index.tolist() == other.index.tolist()
            for row in range(len(other)):
                check_row(other, one, row, *least)
                counted += len(other.objects.boxes[row])
    assert counted > 60


@pytest.mark.parametrize(
    "mix", [og.CutMix(), *(og.Mosaic(fit=fit) for fit in ("crop", "join", "resize"))], ids=str
)
def test_labels_of_an_instance_mask_are_those_of_the_boxes(source, mix):
    plain, mixed = loaders(source, mix)
    seen = 0
    for epoch in range(4):
        for one, batch in zip(plain.epoch(epoch), mixed.epoch(epoch), strict=True):
            rows_of = {int(index): place for place, index in enumerate(one.index)}
            for row in range(len(batch)):
                check_row(batch, one, row)
                record, mask = batch.records[row]["mix"], batch.mask[row]
                assert batch.mask.dtype == np.uint16
                labels = set(np.unique(mask).tolist()) - {0}
                numbers = (batch.objects.index[row] + 1).tolist()
                # An object of which less than the centre of a pixel is left has a box and no pixel.
                assert labels <= set(numbers)
                for box, number, (index, k) in zip(
                    batch.objects.boxes[row], numbers, batch.objects.origin[row].tolist()
                ):
                    y, x = np.nonzero(mask == number)
                    seen += len(y)
                    if len(y):
                        slack = 1 if getattr(mix, "fit", "") == "resize" else 0
                        assert box[0] <= x.min() + 0.5 + slack and x.max() + 0.5 - slack <= box[2]
                        assert box[1] <= y.min() + 0.5 + slack and y.max() + 0.5 - slack <= box[3]
                    assert k < COUNTS[index] and rows_of[index] >= 0
                if record["step"] == "CutMix":
                    (r0, r1), (c0, c1) = record["box"]
                    partner = one.mask[rows_of[record["partner"]["index"]]][r0:r1, c0:c1]
                    assert ((mask[r0:r1, c0:c1] > 0) == (partner > 0)).all()
    assert seen > 500


def test_semantic_masks_are_copied(source):
    semantic = og.open_source(source.root, masks="semantic")
    plain, mixed = loaders(semantic, og.Mosaic(fit="join"))
    one, batch = plain.batch(1, 0), mixed.batch(1, 0)
    rows_of = {int(index): place for place, index in enumerate(one.index)}
    for row, record in enumerate(batch.records):
        mix = record["mix"]
        for part, place in [(mix["own"], row)] + [(p, rows_of[p["partner"]["index"]]) for p in mix["parts"]]:
            here, there = (tuple(slice(*ends) for ends in part[name]) for name in ("box", "shown"))
            assert np.array_equal(batch.mask[row][here], one.mask[place][there])
            assert np.array_equal(batch.image[row][here], one.image[place][there])


def test_the_definition_by_steps(source):
    """A part is what the steps Crop or Resize, and Pad, make of its image with all that belongs to it."""
    plain, mixed = loaders(source, og.Mosaic(0.2, fit="resize"))
    one, batch = plain.batch(2, 0), mixed.batch(2, 0)
    rows_of = {int(index): place for place, index in enumerate(one.index)}
    for row, record in enumerate(batch.records):
        for part in record["mix"]["parts"]:
            place = rows_of[part["partner"]["index"]]
            (r0, r1), (c0, c1) = part["box"]
            boxes = one.objects.of_image(place, SIZE)
            made = og.Compose([og.Resize((r1 - r0, c1 - c0))])(image=one.image[place], boxes=boxes)
            assert np.array_equal(made.image, batch.image[row, r0:r1, c0:c1])
            is_of = batch.objects.origin[row][:, 0] == part["partner"]["index"]
            inside = (batch.objects.boxes[row][:, :2] >= [c0 - 1e-4, r0 - 1e-4]).all(axis=1) & (
                batch.objects.boxes[row][:, 2:] <= [c1 + 1e-4, r1 + 1e-4]
            ).all(axis=1)
            found = batch.objects.boxes[row][is_of & inside]
            np.testing.assert_allclose(found, made.boxes.to("xyxy") + np.array([c0, r0, c0, r0]), atol=1e-5)


# ---- rows, feeds, runs


def test_padded_rows_hold_all_that_may_come(source):
    _, ragged = loaders(source, [og.Mosaic(fit="join"), og.CutMix()])
    _, padded = loaders(source, [og.Mosaic(fit="join"), og.CutMix()], boxes="padded")
    assert padded.object_layout.most == 4 * max(COUNTS)
    for one, other in zip(ragged.epoch(1), padded.epoch(1), strict=True):
        assert other.objects.boxes.shape[1:] == (16, 4)
        for name in ("boxes", "classes", "index", "points", "visible", "weights", "origin"):
            for row, values in enumerate(getattr(one.objects, name)):
                assert np.array_equal(getattr(other.objects, name)[row][other.objects.valid[row]], values)
                assert (getattr(other.objects, name)[row][~other.objects.valid[row]] == -1).all()


def test_an_image_with_too_many_boxes_stays_as_it_is(source):
    plain, mixed = loaders(without_masks(source), og.MixUp(1.0), boxes="padded", max_boxes=4)
    left = 0
    for one, other in zip(plain.epoch(0), mixed.epoch(0), strict=True):
        for row, record in enumerate(other.records):
            assert other.objects.valid[row].sum() <= 4
            if "left" not in record["mix"]:
                continue
            left += 1
            assert record["mix"]["step"] == "MixUp" and "max_boxes=4" in record["mix"]["left"]
            assert np.array_equal(other.image[row], one.image[row])
            assert np.array_equal(other.objects.boxes[row], one.objects.boxes[row])
    assert left > 0


@pytest.mark.parametrize("mix", [og.MixUp(1.0), [og.Mosaic(fit="resize"), og.CutMix()]], ids=str)
def test_the_same_bytes_for_threads_processes_and_resumed_runs(source, mix):
    options = {"batch_size": 3, "seed": 1, "shuffle": True, "mix": mix}
    used = without_masks(source)
    one = og.Loader(used, PLAIN, threads=1, **options)
    others = [
        og.Loader(used, PLAIN, threads=4, **options),
        og.Loader(used, PLAIN, process=True, **options),
        pickle.loads(pickle.dumps(one)),
    ]
    wanted = [list(one.epoch(0)), list(one.epoch(1))]
    for other in others:
        for epoch in (0, 1):
            for batch, again in zip(wanted[epoch], other.epoch(epoch), strict=True):
                assert_same(batch, again)
    begun = og.Loader(used, PLAIN, **options)
    next(iter(begun))
    resumed = og.Loader(used, PLAIN, **options)
    resumed.load_state_dict(json.loads(json.dumps(begun.state_dict())))
    for batch, again in zip(wanted[0][1:], resumed, strict=True):
        assert_same(batch, again)
    for number, batch in enumerate(wanted[1]):
        assert_same(batch, one.batch(1, number))


def assert_same(one, other):
    assert one.image.tobytes() == other.image.tobytes() and list(one.records) == list(other.records)
    for name in ("boxes", "classes", "index", "points", "visible", "weights", "origin", "valid"):
        assert np.array_equal(getattr(one.objects, name), getattr(other.objects, name))


def test_rows_that_fill_up_a_batch_have_the_objects_of_their_images(source):
    _, loader = loaders(without_masks(source), og.Mosaic(), pad_last=True)
    last = loader.batch(0, 1)
    assert last.valid.tolist() == [True, True, False, False, False]
    assert np.array_equal(last.objects.boxes[2], last.objects.boxes[0])


def test_a_built_dataset_gives_mixed_objects(source, tmp_path: Path):
    og.build(without_masks(source), tmp_path / "built", og.Compose(PLAIN))
    options = {"batch_size": 5, "seed": 4, "shuffle": True, "mix": og.Mosaic(fit="join"), "boxes": "ragged"}
    files = og.Loader(without_masks(source), PLAIN, **options)
    built = og.Loader(tmp_path / "built", **options)
    for one, other in zip(files.epoch(0), built.epoch(0), strict=True):
        assert one.image.tobytes() == other.image.tobytes()
        for name in ("boxes", "classes", "index", "origin"):
            for rows, again in zip(getattr(one.objects, name), getattr(other.objects, name)):
                assert np.array_equal(rows, again)
    og.build(source, tmp_path / "masked", og.Compose(PLAIN))
    with pytest.raises(og.ArgumentError, match="does not say whether its masks number objects or classes"):
        og.Loader(tmp_path / "masked", mix=og.Mosaic())


def test_frameworks_get_the_objects_of_mixed_images(source):
    tf = pytest.importorskip("tensorflow")
    used = without_masks(source)
    _, ragged = loaders(used, og.Mosaic())
    _, padded = loaders(used, og.MixUp(1.0), boxes="padded")
    wanted = ragged.batch(0, 0)
    _, learnt = next(iter(ragged.tensorflow(epoch=0)))
    assert isinstance(learnt["boxes"], tf.RaggedTensor) and "weights" not in learnt
    assert learnt["boxes"].to_list() == [rows.tolist() for rows in wanted.objects.boxes]
    batch = padded.batch(0, 0)
    _, learnt = next(iter(padded.tensorflow(epoch=0, outputs={"boxes": "boxes", "weights": "weights"})))
    assert np.array_equal(learnt["weights"].numpy(), batch.objects.weights)
    _, arrays = padded.keras(epoch=0)[0]
    assert np.array_equal(arrays["boxes"], batch.objects.boxes)
    with pytest.raises(og.ArgumentError, match="Grain makes its batches itself"):
        padded.grain()


def test_jax_gets_them_too(source):
    pytest.importorskip("jax")
    _, padded = loaders(without_masks(source), og.CutMix(), boxes="padded")
    made = next(iter(padded.jax(epoch=0)))
    assert np.array_equal(made["boxes"], padded.batch(0, 0).objects.boxes)


def test_torch_gets_them_too(source):
    pytest.importorskip("torch")
    _, padded = loaders(without_masks(source), og.CutMix(), boxes="padded")
    batch = padded.batch(0, 0)
    _, learnt = next(iter(padded.torch(epoch=0)))
    assert np.array_equal(learnt["boxes"].numpy(), batch.objects.boxes)


@pytest.mark.parametrize("mix", [og.Mosaic(0.2, fit="join"), og.CutMix(), og.MixUp(1.0)], ids=str)
def test_the_explanation_says_where_each_object_is_from(source, mix):
    _, loader = loaders(without_masks(source), mix)
    for number in range(len(loader)):
        batch = loader.batch(3, number)
        for row, index in enumerate(batch.index.tolist()):
            said = str(loader.explain(3, index)).splitlines()
            (start,) = (i for i, line in enumerate(said) if f"with others of batch {number}" in line)
            lines, origin = said[start + 1 :], batch.objects.origin[row].tolist()
            record = batch.records[row]["mix"]
            wanted = [[index, record["own"]["objects"]]]
            wanted += [[p["partner"]["index"], p["objects"]] for p in record.get("parts", [record])]
            assert [pair for one, numbers in wanted for pair in [[one, k] for k in numbers]] == origin
            for line, (one, numbers) in zip(lines, wanted, strict=True):
                assert line.endswith("objects " + (", ".join(map(str, numbers)) or "")) or not numbers
                assert f"{one}.png (index {one} of epoch 3)" in line or one == index
    assert "not mixed" in str(og.Loader(source, PLAIN, mix=og.CutMix(p=1e-9)).explain(0, 0))
    assert "not mixed" not in str(og.Loader(source, PLAIN).explain(0, 0))


def test_a_mask_that_cannot_number_all_objects_is_refused(source):
    from offgraph.loading import mixing

    labels = np.array([[0, 250]], np.uint8)
    assert mixing._renumbered(labels, 5).tolist() == [[0, 255]]
    with pytest.raises(
        og.StepError, match=r"objects up to number 256, and its mask is uint8: .* wider mask_dtype"
    ):
        mixing._renumbered(labels, 6)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: og.Mosaic(fit="cover"), "Mosaic: fit='cover': choose 'crop', 'join' or 'resize'"),  # type: ignore[arg-type]
        (lambda: og.Mosaic(min_visibility=1.5), "Mosaic: min_visibility=1.5: give a share from 0 to 1"),
        (lambda: og.CutMix(min_area=-1), "CutMix: min_area=-1: give an area in pixels"),
        (lambda: og.CutMix(min_area="x"), "CutMix: min_area='x': give a number"),  # type: ignore[arg-type]
    ],
)
def test_options_are_refused_by_name(make, says):
    with pytest.raises(og.ArgumentError, match=says):
        make()


def test_options_of_their_default_value_are_not_written():
    """So the digest of a run of earlier versions stays."""
    assert (
        repr(og.Mosaic(0.25)) == "Mosaic(margin=0.25, p=1.0)"
        and repr(og.CutMix()) == "CutMix(alpha=1.0, p=1.0)"
    )
    assert repr(og.Mosaic(fit="join")) == "Mosaic(margin=0.25, p=1.0, fit='join')"
    assert og.Mosaic() == og.Mosaic(0.25) != og.Mosaic(fit="join") and og.CutMix() != og.CutMix(min_area=1)
