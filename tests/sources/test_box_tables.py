"""Tables with a row per box: of images, of volumes, and as measured; through steps, batches, datasets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import offgraph as og
from offgraph.objects import fuse_boxes, non_maximum_suppression
from offgraph.targets.box_formats import boxes_of_edges

SIZE = (8, 12, 16)


def labels_of(seed: int, size: tuple[int, ...], count: int) -> np.ndarray:
    """Cuboids of labels 1, 2, ..., later ones over earlier ones."""
    rng, labels = np.random.default_rng(seed), np.zeros(size, np.uint8)
    for label in range(1, count + 1):
        start = [int(rng.integers(0, n - 3)) for n in size]
        lengths = [int(rng.integers(2, 4)) for _ in size]
        labels[tuple(slice(a, a + n) for a, n in zip(start, lengths))] = label
    return labels


def measured_rows(name: str, labels: np.ndarray, kinds: str = "ab") -> list[str]:
    """Rows of a table, by the measured bounds of each label."""
    table = og.measure(labels)
    edges = [table[f"bbox-{k}"] for k in range(2 * labels.ndim)]
    return [
        ",".join([name, kinds[i % len(kinds)], *(str(int(column[i])) for column in edges)])
        for i in range(len(table["label"]))
    ]


def as_row(edges: np.ndarray) -> list[int]:
    return np.round(boxes_of_edges(edges, "xyxy", (1,) * (edges.shape[1] // 2))).astype(int).tolist()


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """Four volumes with 3, 2, 0 and 1 boxes, as measured."""
    header = "path,class," + ",".join(f"bbox-{k}" for k in range(6))
    rows = [header]
    for number, count in enumerate((3, 2, 0, 1)):
        labels = labels_of(number, SIZE, count)
        og.imwrite(tmp_path / f"{number}.tif", (labels * 40).astype(np.uint8), axes="ZYX")
        rows += measured_rows(f"{number}.tif", labels) if count else [f"{number}.tif,,,,,,,"]
    (tmp_path / "boxes.csv").write_text("\n".join(rows))
    return tmp_path


def opened(folder: Path, **options) -> og.Source:
    return og.open_source(folder / "boxes.csv", task="detect", axes="ZYX", color="keep", **options)


def test_a_table_of_measured_volumes(volumes: Path) -> None:
    source = opened(volumes)
    assert source.task == "detect" and source.class_names == ("a", "b") and source.box_axes == 3
    assert [len(item.objects) for item in source] == [3, 2, 0, 1]
    for number in range(4):
        labels = labels_of(number, SIZE, (3, 2, 0, 1)[number])
        boxes = source.read(number).boxes
        assert boxes.size == SIZE and len(boxes) == len(np.unique(labels)) - 1
        for edges, label in zip(boxes.edges, np.unique(labels)[1:], strict=True):
            where = np.argwhere(labels == label)
            assert edges.tolist() == [*(where.min(axis=0) - 0.5), *(where.max(axis=0) + 0.5)]


@pytest.mark.parametrize("axes", [2, 3])
def test_edges_from_the_left_upper_corner(tmp_path: Path, axes: int) -> None:
    size = SIZE[-axes:]
    og.imwrite(tmp_path / "a.tif", np.zeros(size, np.uint8), axes="ZYX"[-axes:])
    og.imwrite(tmp_path / "b.tif", np.zeros(size, np.uint8), axes="ZYX"[-axes:])
    names = ["x0", "y0", "z0", "x1", "y1", "z1"] if axes == 3 else ["x0", "y0", "x1", "y1"]
    box = [1, 2.5, 3, 5, 7, 8] if axes == 3 else [1, 2.5, 5, 7]
    rows = [
        f"path,label,{','.join(names)},sure",
        f"a.tif,cell,{','.join(map(str, box))},0.9",
        "b.tif,," + "," * axes * 2,
    ]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    source = og.open_source(tmp_path / "t.csv", task="detect", axes="ZYX"[-axes:], color="keep")
    boxes = source.read(0).boxes
    assert boxes.to("xyxy").tolist() == [box] and source.class_names == ("cell",)
    assert boxes.extra["sure"].tolist() == ["0.9"] and len(source.read(1).boxes) == 0
    plain = "\n".join(
        row.replace("label,", "", 1).replace("cell,", "").replace(".tif,,", ".tif,") for row in rows
    )
    (tmp_path / "t.csv").write_text(plain)
    assert og.open_source(tmp_path / "t.csv", task="detect").class_names == ("object",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path,label\na.tif,x", "takes a table with a row per box and its edges.* It has path, label"),
        ("path,x0,y0,x1,y1\na.tif,1,2,3,", "row 2: y1 is '', not a number"),
        ("path,x0,y0,x1,y1\na.tif,1,2,3,inf", "row 2: y1 is 'inf', not a number"),
        ("path,class,x0,y0,x1,y1\na.tif,,1,2,3,4", "row 2: no class"),
        ("path,x0,y0,x1,y1,mask\na.tif,1,2,3,4,m.png", "a column mask, and a table of boxes has none"),
        ("path,x0,y0,x1,y1\n../a.tif,1,2,3,4", "row 2: '../a.tif' leads out of"),
        ("path,x0,y0,x1,y1\nb.tif,1,2,3,4", "the image is not there"),
    ],
)
def test_what_is_no_table_of_boxes_is_refused(tmp_path: Path, text: str, says: str) -> None:
    og.imwrite(tmp_path / "a.tif", np.zeros((9, 9), np.uint8))
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(og.SourceError, match=says):
        og.open_source(tmp_path / "t.csv", task="detect")


def test_bad_boxes_are_told(tmp_path: Path) -> None:
    og.imwrite(tmp_path / "a.tif", np.zeros(SIZE, np.uint8), axes="ZYX")
    header = "path,x0,y0,z0,x1,y1,z1"
    (tmp_path / "boxes.csv").write_text(f"{header}\na.tif,1,1,1,3,3,1\na.tif,1,1,1,3,3,2")
    with pytest.warns(
        og.OffgraphWarning, match=r"row 2: box without area: x0, y0, z0, x1, y1, z1 are 1, 1, 1, 3, 3, 1"
    ):
        assert len(opened(tmp_path)[0].objects) == 1
    with pytest.raises(og.SourceError, match="row 2: box without area"):
        opened(tmp_path, bad_boxes="error")
    (tmp_path / "boxes.csv").write_text(f"{header}\na.tif,20,1,1,30,3,2")
    with pytest.raises(og.DecodeError, match=r"row 2: box outside the image: .* in a volume of 8 x 12 x 16"):
        opened(tmp_path).read(0)
    (tmp_path / "boxes.csv").write_text("path,x0,y0,x1,y1\na.tif,2,1,3,3")
    with pytest.raises(og.DecodeError, match="axes ZYX, and its boxes are for images of two spatial axes"):
        opened(tmp_path).read(0)


STEPS = st.lists(
    st.one_of(
        st.sampled_from([og.Flip("X"), og.Flip("Y"), og.Flip("Z"), og.Pad(2), og.Resize((16, 24, 32))]),
        st.builds(
            lambda corner, size: og.Crop(tuple(size), tuple(corner)),
            st.tuples(*[st.integers(0, 2)] * 3),
            st.tuples(st.integers(3, 6), st.integers(5, 10), st.integers(6, 12)),
        ),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, seed=st.integers(0, 2**16))
def test_boxes_in_volumes_bound_what_is_left_of_their_object(steps, seed) -> None:
    """Of whole pixels and whole factors exactly, whichever steps crop, flip, pad and enlarge."""
    labels = labels_of(seed, SIZE, 3)
    table = og.measure(labels)
    low_high = [np.stack([table[f"bbox-{axis + 3 * side}"] for axis in (2, 1, 0)], 1) for side in (0, 1)]
    boxes = og.Boxes(np.concatenate(low_high, axis=1), size=SIZE, labels=table["label"])
    size = np.array(SIZE)
    for step in steps:
        if isinstance(step, og.Crop) and (np.add(step.corner, step.size) > size).any():
            return  # of what an earlier one left
        size = size + 4 if isinstance(step, og.Pad) else np.array(getattr(step, "size", size))
    made = og.Compose([*steps])(image=labels, mask=labels, boxes=boxes, axes="ZYX")
    # Each label by itself: in a mask of all, a later one may hide it.
    for label in table["label"].tolist():
        alone = og.Compose([*steps])(image=labels, mask=(labels == label).astype(np.uint8), axes="ZYX").mask
        row = np.flatnonzero(made.boxes.labels == label)
        if not alone.any():
            continue
        where = np.argwhere(alone)
        edges = made.boxes.edges[row[0]]
        slack = 0.5 + 1e-9 if any(isinstance(one, og.Resize) for one in steps) else 1e-9
        assert (edges[:3] <= where.min(axis=0) - 0.5 + slack).all()
        assert (edges[3:] >= where.max(axis=0) + 0.5 - slack).all()


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, seed=st.integers(0, 2**16))
def test_crops_flips_pads_and_scales_of_boxes_are_arithmetic(steps, seed) -> None:
    # A resize after another step continues objects from the centres of border pixels, as it continues the image.
    assume(not any(isinstance(one, og.Resize) for one in steps[1:]))
    rng = np.random.default_rng(seed)
    low = rng.uniform(-0.5, 6, (4, 3))
    edges = np.concatenate([low, np.minimum(low + rng.uniform(0.5, 6, (4, 3)), np.array(SIZE) - 0.5)], axis=1)
    boxes = og.Boxes(boxes_of_edges(edges, "xyxy", SIZE), size=SIZE)
    size, share = np.array(SIZE), np.ones(4)
    wanted = edges.copy()
    for step in steps:
        if isinstance(step, og.Flip):
            axis = "ZYX".index(step.axis)
            wanted[:, [axis, axis + 3]] = size[axis] - 1 - wanted[:, [axis + 3, axis]]
        elif isinstance(step, og.Pad):
            wanted, size = wanted + 2, size + 4
        elif isinstance(step, og.Resize):
            scale = np.tile(np.array(step.size) / size, 2)
            wanted, size = (wanted + 0.5) * scale - 0.5, np.array(step.size)
        else:
            corner, after = np.array(step.corner), np.array(step.size)
            if (corner + after > size).any():
                return
            before = np.prod(np.maximum(wanted[:, 3:] - wanted[:, :3], 0), axis=1)
            wanted = wanted - np.tile(corner, 2)
            wanted = np.concatenate(
                [np.maximum(wanted[:, :3], -0.5), np.minimum(wanted[:, 3:], after - 0.5)], axis=1
            )
            left = np.prod(np.maximum(wanted[:, 3:] - wanted[:, :3], 0), axis=1)
            share, size = np.where(before > 0, share * left / np.where(before > 0, before, 1), 0), after
    made = og.Compose([*steps])(image=np.zeros(SIZE, np.uint8), boxes=boxes, axes="ZYX").boxes
    kept = np.flatnonzero(share > 1e-6)
    assert set(kept) <= set(made.ids.tolist())
    for number in kept:
        (row,) = np.flatnonzero(made.ids == number)
        np.testing.assert_allclose(made.edges[row], wanted[number], atol=1e-9)
        assert made.visibility[row] == pytest.approx(share[number], abs=1e-9)


@pytest.mark.parametrize("mode", ["padded", "ragged"])
def test_batches_of_volumes(volumes: Path, mode: str) -> None:
    steps = [og.Augment(og.Flip("X"), og.RandomCrop((6, 9, 12))), og.Normalize(mean=0, std=1)]
    loader = og.Loader(opened(volumes), steps, batch_size=4, boxes=mode, seed=2)
    (batch,) = loader.epoch(1)
    assert batch.image.shape == (4, 6, 9, 12)
    for row, index in enumerate(batch.index.tolist()):
        read = opened(volumes).read(index)
        made = og.Compose(steps)(**dict(read.targets), key=og.Key(2, 1, index)).boxes
        rows = slice(None) if mode == "ragged" else batch.objects.valid[row]
        assert batch.objects.boxes[row][rows].tolist() == made.to("xyxy").astype(np.float32).tolist()
    if mode == "padded":
        assert batch.objects.boxes.shape == (4, 3, 6)
        tf = pytest.importorskip("tensorflow")
        _, learnt = next(iter(loader.tensorflow(epoch=1)))
        assert learnt["boxes"].shape == (4, 3, 6) and learnt["boxes"].dtype == tf.float32
        with pytest.raises(
            og.ArgumentError, match="box_format='yolo' is for two axes; write box_format='xyxy'"
        ):
            og.Loader(opened(volumes), steps, box_format="yolo")
        with pytest.raises(og.StepError, match="Mosaic takes images of two spatial axes"):
            next(iter(og.Loader(opened(volumes), steps, batch_size=4, mix=og.Mosaic())))
        mixed = next(iter(og.Loader(opened(volumes), steps, batch_size=4, mix=og.CutMix(), shuffle=False)))
        assert mixed.objects.boxes.shape == (4, 6, 6) and mixed.objects.valid.any()
        inside = mixed.objects.boxes[mixed.objects.valid]
        assert (inside >= 0).all() and (inside[:, 3:] <= [12, 9, 6]).all()


@pytest.mark.parametrize("format", ["folder", "webdataset", "tfrecord"])
def test_datasets_of_volumes_with_boxes(volumes: Path, tmp_path: Path, format: str) -> None:
    if format == "tfrecord":
        pytest.importorskip("tensorflow")
    steps = [og.Flip("X"), og.Augment(og.RandomCrop((6, 9, 12))), og.Normalize(mean=0, std=1)]
    og.build(opened(volumes), tmp_path / "out", steps, format=format)
    files = og.Loader(opened(volumes), steps, batch_size=4, boxes="ragged")
    built = og.Loader(tmp_path / "out", batch_size=4, boxes="ragged")
    (one,), (other,) = files.epoch(0), built.epoch(0)
    rows_of = {record["key"]["index"]: row for row, record in enumerate(other.records)}
    for row, index in enumerate(one.index.tolist()):  # a format may keep the images in another order
        again = rows_of[index]
        assert one.image[row].tobytes() == other.image[again].tobytes()
        assert np.array_equal(one.objects.boxes[row], other.objects.boxes[again])
    with pytest.raises(og.BuildError, match="format='arrow' stores boxes of images of two spatial axes"):
        og.build(opened(volumes), tmp_path / "arrow", steps, format="arrow")


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    d = len(one) // 2
    sides = np.minimum(one[d:], other[d:]) - np.maximum(one[:d], other[:d])
    shared = float(np.prod(np.maximum(sides, 0)))
    whole = float(np.prod(one[d:] - one[:d]) + np.prod(other[d:] - other[:d]))
    return shared / (whole - shared)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**20), count=st.integers(0, 12), iou=st.sampled_from([0.1, 0.3, 0.55]))
def test_suppression_and_fusion_in_volumes(seed: int, count: int, iou: float) -> None:
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 5, (count, 3)).astype(float)
    edges = np.concatenate([low, low + rng.integers(2, 6, (count, 3))], axis=1)
    scores = rng.permutation(count) / 16 + 0.1
    kept: list[int] = []
    for at in np.argsort(-scores, kind="stable").tolist():
        if all(overlap(edges[at], edges[other]) <= iou for other in kept):
            kept.append(at)
    assert non_maximum_suppression(edges, scores, iou).tolist() == kept
    groups: list[list[int]] = []
    means: list[np.ndarray] = []
    for at in np.argsort(-scores, kind="stable").tolist():
        shares = [overlap(mean, edges[at]) for mean in means]
        best = int(np.argmax(shares)) if shares else -1
        if best >= 0 and shares[best] > iou:
            groups[best].append(at)
        else:
            groups.append([at])
            means.append(edges[at])
            continue
        members = groups[best]
        means[best] = (edges[members] * scores[members, None]).sum(axis=0) / scores[members].sum()
    fused, _, member = fuse_boxes(edges, scores, iou)
    assert len(fused) == len(groups)
    for members, mean in zip(groups, means):
        assert len({int(member[at]) for at in members}) == 1
        np.testing.assert_allclose(fused[member[members[0]]], mean, atol=1e-9)
