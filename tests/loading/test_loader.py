"""Batches: whole, aligned, the same for any number of threads, and the same from files and from a dataset."""

from __future__ import annotations

import doctest
import hashlib
import json
import pickle
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import numpy as np
import pytest
from tests.support.made import CLASSES, class_folder, image_file, paired_folder, recipe

import offgraph as og
from offgraph.loading import loader as loader_module
from offgraph.pipeline.buffers import Buffers
from offgraph.targets import Targets


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("spoiled"), bad=True)


def same(one: og.Batch, other: og.Batch) -> bool:
    return (
        one.image.tobytes() == other.image.tobytes()
        and np.array_equal(one.index, other.index)
        and one.records == other.records
        and (one.label is None or np.array_equal(one.label, other.label))
    )


def test_batches_are_the_images_of_the_recipe(photos: Path) -> None:
    made, source = recipe(), og.open_source(photos)
    loader = og.Loader(source, made, batch_size=4, seed=3, threads=2)
    assert len(loader) == 4 and loader.class_names == CLASSES and loader.num_classes == 3
    for epoch, passed in enumerate([list(loader), list(loader)]):
        assert [len(batch) for batch in passed] == [4, 4, 4, 3]
        assert sorted(np.concatenate([batch.index for batch in passed])) == list(range(15))
        for batch in passed:
            assert batch.image.dtype == np.float32 and batch.image.shape[1:] == (24, 20, 3)
            assert batch.image.ctypes.data % 64 == 0 and batch.image.flags.c_contiguous
            assert batch.label is not None and batch.label.dtype == np.int64 and batch.mask is None
            for place, number in enumerate(batch.index):
                sample = source.read(int(number))
                want = made.run(Targets.of_image(sample.image), og.Key(3, epoch, int(number)))
                assert batch.image[place].tobytes() == want.image.tobytes()
                assert batch.label[place] == sample.label and batch.records[place] == want.record


def test_bytes_do_not_depend_on_threads(photos: Path) -> None:
    passes = [
        list(og.Loader(photos, recipe(), batch_size=4, seed=1, threads=n, prefetch=p).epoch(2))
        for n, p in ((1, 1), (2, 3), (7, 2))
    ]
    for other in passes[1:]:
        assert all(same(a, b) for a, b in zip(passes[0], other, strict=True))


def test_order_follows_seed_and_epoch(photos: Path) -> None:
    loader = og.Loader(photos, recipe(), seed=1)
    assert not np.array_equal(loader.order(0), loader.order(1))
    assert np.array_equal(loader.order(1), og.Loader(photos, recipe(), seed=1).order(1))
    assert not np.array_equal(loader.order(0), og.Loader(photos, recipe(), seed=2).order(0))
    assert og.Loader(photos, recipe().eval()).order(5).tolist() == list(range(15))
    assert og.Loader(photos, recipe(), shuffle=False).order(5).tolist() == list(range(15))


def test_eval_batches_are_the_same_every_epoch(photos: Path) -> None:
    loader = og.Loader(photos, recipe().eval(), batch_size=15)
    (one,), (other,) = list(loader), list(loader)
    assert one.image.tobytes() == other.image.tobytes()
    assert one.image is not other.image and not np.shares_memory(one.image, other.image)


def test_drop_last(photos: Path) -> None:
    loader = og.Loader(photos, recipe(), batch_size=4, drop_last=True)
    assert len(loader) == 3 and [len(batch) for batch in loader] == [4, 4, 4]


def test_masks_come_along(tmp_path: Path) -> None:
    images, masks = paired_folder(tmp_path)
    source = og.open_source(images, masks=masks)
    made = og.Compose([og.CenterCrop((16, 16)), og.Normalize(mean=0, std=1)])
    (batch,) = og.Loader(source, made, shuffle=False)
    assert batch.label is None and batch.mask is not None and batch.mask.dtype == np.uint16
    for place in range(6):
        assert set(np.unique(batch.mask[place])) <= {0, 1000 + place}
    og.build(source, tmp_path / "out", made)
    (stored,) = og.Loader(tmp_path / "out", shuffle=False)
    assert stored.mask is not None and np.array_equal(stored.mask, batch.mask)
    assert stored.image.tobytes() == batch.image.tobytes()


# ---- a built dataset


@pytest.mark.parametrize("format", ["folder", "tfrecord"])
@pytest.mark.parametrize("store", ["integers", "final"])
def test_a_dataset_goes_on_where_it_was_stored(photos: Path, tmp_path: Path, format: str, store: str) -> None:
    made = recipe()
    og.build(photos, tmp_path / "out", made, format=format, copies=2, seed=6, store=store, shard_size=7)
    source = og.open_source(photos)
    loader = og.Loader(tmp_path / "out", batch_size=8)
    assert (
        loader.class_names == CLASSES and loader.num_images == loader.num_pictures == 30 and loader.seed == 6
    )
    seen = set()
    for batch in loader.epoch(0):
        assert batch.image.dtype == np.float32
        for place, record in enumerate(batch.records):
            key = og.Key(**record["key"])
            sample = source.read(key.index)
            want = made.run(Targets.of_image(sample.image), key)
            assert batch.image[place].tobytes() == want.image.tobytes()
            assert batch.label is not None and batch.label[place] == sample.label
            assert record == want.record
            assert made.replay(record, image=sample.image).image.tobytes() == want.image.tobytes()
            seen.add((key.epoch, key.index))
    assert seen == {(copy, index) for copy in range(2) for index in range(15)}


def test_later_epochs_of_a_dataset_draw_anew_what_is_not_stored(photos: Path, tmp_path: Path) -> None:
    og.build(photos, tmp_path / "out", recipe(), copies=2)
    loader = og.Loader(tmp_path / "out", batch_size=30, shuffle=False)
    (first,), (second,) = loader.epoch(0), loader.epoch(1)
    assert first.image.tobytes() != second.image.tobytes()
    rotated = [[r["steps"][1] for r in batch.records] for batch in (first, second)]
    assert rotated[0] == rotated[1]  # stored in the image
    gammas = [r["steps"][-1]["params"]["gamma"] for batch in (first, second) for r in batch.records]
    assert len(set(gammas)) == 60


def test_a_dataset_of_an_eval_recipe_stays_in_order(photos: Path, tmp_path: Path) -> None:
    og.build(photos, tmp_path / "out", recipe().eval())
    loader = og.Loader(tmp_path / "out")
    assert not loader.recipe.training and loader.order(0).tolist() == list(range(15))


def test_another_recipe_is_refused_unless_chosen(photos: Path, tmp_path: Path) -> None:
    og.build(photos, tmp_path / "out", recipe())
    other = og.Compose([*recipe().items[:2], og.Normalize("imagenet")])
    assert len(og.Loader(tmp_path / "out", recipe())) == 1
    with pytest.raises(og.RecipeMismatch, match="step 4, Normalize: stats"):
        og.Loader(tmp_path / "out", other)
    with pytest.raises(og.RecipeMismatch, match="Augment"):
        og.Loader(tmp_path / "out", og.Compose(recipe().steps))
    small = og.Compose([og.Resize((8, 8))])
    (batch,) = og.Loader(tmp_path / "out", small, other_recipe=True)
    assert batch.image.shape == (15, 8, 8, 3) and batch.image.dtype == np.uint8


def test_damage_in_a_dataset_is_named(photos: Path, tmp_path: Path) -> None:
    for format in ("folder", "tfrecord"):
        out = tmp_path / format
        og.build(photos, out, recipe(), format=format)
        victim = out / "images/ant/0__0.png" if format == "folder" else next(out.glob("*.tfrecord"))
        data = bytearray(victim.read_bytes())
        data[len(data) // 2] ^= 1
        victim.write_bytes(data)
        with pytest.raises(
            og.DecodeError, match=r"example \d+ \(.*\): .*not as .* written; run the build again"
        ):
            list(og.Loader(out))
        (out / "samples" / "00000.jsonl").write_bytes(b"")
        with pytest.raises(og.BuildError, match=r"00000\.jsonl: not as it was written"):
            og.Loader(out)
        (out / "manifest.json").write_text("{")
        with pytest.raises(og.BuildError, match=r"manifest\.json: cannot be read"):
            og.Loader(out)


def test_a_dataset_from_somebody_else_cannot_lead_out_of_its_folder(photos: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes((photos / "ant" / "0.png").read_bytes())
    og.build(photos, tmp_path / "out", recipe())
    records, manifest = tmp_path / "out" / "samples" / "00000.jsonl", tmp_path / "out" / "manifest.json"

    def forge(old: str, new: str) -> None:
        was = hashlib.sha256(records.read_bytes()).hexdigest()
        records.write_text(records.read_text().replace(old, new))
        now = hashlib.sha256(records.read_bytes()).hexdigest()
        manifest.write_text(manifest.read_text().replace(was, now))

    for name in ("../secret.png", str(secret)):
        forge('"images/ant/0__0.png"', json.dumps(name))
        with pytest.raises(og.DecodeError, match="outside of the dataset"):
            list(og.Loader(tmp_path / "out"))
        forge(json.dumps(name), '"images/ant/0__0.png"')
    forge('"shape":[24,20,3]', '"shape":[24000,20000,3]')
    with pytest.raises(og.DecodeError, match="the PNG is of another size"):
        list(og.Loader(tmp_path / "out"))
    manifest.write_text(manifest.read_text().replace("samples/00000", "../samples/00000"))
    with pytest.raises(og.BuildError, match="outside of the dataset"):
        og.Loader(tmp_path / "out")


# ---- what goes wrong


def test_a_bad_file_ends_the_pass_with_its_name(spoiled: Path) -> None:
    before = set(threading.enumerate())
    with pytest.raises(og.DecodeError, match=r"ant/cut\.png") as caught:
        list(og.Loader(spoiled, recipe(), threads=2, shuffle=False))
    sample, note = caught.value.__notes__  # below the traceback that model.fit shows
    assert sample == "the sample: ant/cut.png, epoch 0, index 5"
    assert note.startswith("on_error='skip' leaves out what cannot be read")
    assert set(threading.enumerate()) == before


def test_a_bad_file_is_left_out_when_asked_for(spoiled: Path, photos: Path) -> None:
    loader = og.Loader(spoiled, recipe(), batch_size=4, on_error="skip", threads=2)
    with pytest.warns(
        og.OffgraphWarning, match=r"2 of 17 images of epoch 0 were left out, such as [^ ]*ant/cut\.png: "
    ):
        assert [len(batch) for batch in loader] == [4, 4, 4, 3]
    assert [len(batch) for batch in loader] == [4, 4, 4, 3]  # said once
    assert set(loader.skipped) == {"ant/cut.png", "cat/text.jpg"}
    alone = og.open_source(spoiled)
    bad = [i for i, item in enumerate(alone) if item.name in loader.skipped]
    with pytest.raises(og.OffgraphError, match=r"none of its images \(2\) could be used: .*/ant/cut\.png: "):
        list(og.Loader(alone.subset(bad), recipe(), on_error="skip"))


def test_errors_of_a_step_name_file_step_and_shape(photos: Path) -> None:
    with pytest.raises(og.StepError, match=r"ant/0\.png: step 1, RandomCrop: .*\(40, 30\)"):
        list(og.Loader(photos, og.Compose([og.RandomCrop((40, 30))]), shuffle=False))


def test_mistakes_arrive_with_their_own_traceback_and_the_file(photos: Path) -> None:
    class Broken(og.Compose):
        def run(self, *args: object, **kwargs: object) -> og.Result:
            raise LookupError("a mistake of mine")

    with pytest.raises(LookupError, match="a mistake of mine") as caught:
        list(og.Loader(photos, Broken(), shuffle=False, on_error="skip"))
    assert caught.value.__notes__ == [
        "while working on ant/0.png",
        "the sample: ant/0.png, epoch 0, index 0",
    ]
    assert "in run" in "".join(traceback.format_exception(caught.value))


def test_images_of_different_sizes_need_a_resize(photos: Path) -> None:
    with pytest.raises(
        og.StepError, match=r"ant/1\.jpg.*\(33, 38, 3\).*ant/0\.png.*\(30, 40, 3\).*put Resize"
    ):
        list(og.Loader(photos, og.Compose([]), shuffle=False))
    assert [b.image.shape[1] for b in og.Loader(photos, batch_size=1, shuffle=False)][:3] == [30, 33, 36]


@pytest.mark.parametrize(
    ("options", "says"),
    [({"batch_size": 0}, "batch_size=0"), ({"threads": 0}, "threads=0"), ({"prefetch": True}, "prefetch=True"),
     ({"on_error": "stop"}, "on_error='stop': choose one of 'raise', 'skip', 'substitute', 'quarantine'")],
)  # fmt: skip
def test_wrong_options_are_named(photos: Path, options: dict, says: str) -> None:
    with pytest.raises(og.OffgraphError, match=says):
        og.Loader(photos, recipe(), **options)


# ---- threads


def test_breaking_off_leaves_no_thread(photos: Path) -> None:
    before = set(threading.enumerate())
    loader = og.Loader(photos, recipe(), batch_size=1, threads=3)
    for _ in loader:
        break
    passing = iter(loader)
    next(passing)
    assert set(threading.enumerate()) - before
    del passing
    assert set(threading.enumerate()) == before


def test_a_program_ends_with_a_pass_under_way(photos: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
import offgraph as og
from tests.support.made import recipe
loader = og.Loader({str(photos)!r}, recipe(), batch_size=1, threads=2)
passing = iter(loader)
next(passing)
print("the end", flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "the end\n"), done.stderr


def test_a_slow_taker_holds_the_threads_back(photos: Path) -> None:
    read: list[int] = []

    class Counting(og.Compose):
        def run(self, *args: object, **kwargs: object) -> og.Result:
            read.append(1)
            return super().run(*args, **kwargs)  # type: ignore[arg-type]

    source = og.open_source(photos)
    many = source.subset([i % 15 for i in range(400)])
    passing = iter(og.Loader(many, Counting(recipe().items), batch_size=5, threads=2, prefetch=2))
    next(passing)
    time.sleep(0.3)
    # one taken, two ready, one waiting to be put, one being filled, and six parts of batches that the pool works ahead
    assert len(read) <= 5 * 5 + 6 * 3
    passing.close()  # type: ignore[attr-defined]


def test_grey_images(tmp_path: Path) -> None:
    image_file(tmp_path / "in" / "a.png", np.full((6, 5), 9, np.uint8))
    (batch,) = og.Loader(tmp_path / "in", color="grey")
    assert batch.image.shape == (1, 6, 5) and batch.label is None


def test_examples_run() -> None:
    result = doctest.testmod(loader_module)
    assert result.attempted and not result.failed


# ---- the doors


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"seed": -1}, "seed=-1: give a whole number from 0"),
        ({"seed": "a"}, "seed='a'"),
        ({"batch_size": 2.0}, "batch_size=2.0"),
        ({"batch_size": True}, "batch_size=True"),
        ({"shuffle": "no"}, "shuffle='no': give True or False"),
        ({"drop_last": 2}, "drop_last=2"),
        ({"batch_size": 100, "drop_last": True}, "no full batch in 15 images"),
        ({"color": "blue"}, "color='blue': choose one of 'rgb'"),
        ({"recipe": 3}, "recipe=3: give a Compose"),
        ({"recipe": "nowhere.yaml"}, r"nowhere\.yaml"),
    ],
)
def test_wrong_arguments_are_named_at_the_door(photos: Path, options: dict, says: str) -> None:
    with pytest.raises(og.OffgraphError, match=says):
        og.Loader(photos, **options)
    with pytest.raises(og.SourceError, match="source=3: give a path"):
        og.Loader(3)  # type: ignore[arg-type]


def test_recipes_come_as_lists_and_files_and_counts_as_numpy_integers(photos: Path, tmp_path: Path) -> None:
    recipe().to_yaml(tmp_path / "recipe.yaml")
    for given in (list(recipe().items), tmp_path / "recipe.yaml", str(tmp_path / "recipe.yaml")):
        loader = og.Loader(photos, given, batch_size=np.int64(5), seed=np.int64(2))
        assert loader.recipe.digest == recipe().digest and len(loader) == 3
        assert type(loader.batch_size) is int and type(loader.seed) is int


def test_a_loader_and_its_batches_say_what_they_are(photos: Path, tmp_path: Path) -> None:
    loader = og.Loader(photos, recipe(), batch_size=4)
    assert (
        repr(loader)
        == f"<Loader of {photos}, 15 images: 4 batches of up to 4, classify: 3 classes, seed 0, shuffled>"
    )
    said = repr(next(iter(loader)))
    assert said == "<Batch of 4: image float32 (4, 24, 20, 3), label int64 (4,), mask none>"
    og.build(photos, tmp_path / "out", recipe(), copies=2)
    assert "out, 30 examples: 1 batch of up to 32" in repr(og.Loader(tmp_path / "out"))


def test_memory_is_used_again_once_nobody_holds_an_array_in_it() -> None:
    buffers = Buffers(2)
    first = buffers.empty((4, 3, 5), np.dtype(np.float32))
    first[:] = 1
    part, where = first[1:2, 0], first.ctypes.data
    del first
    other = buffers.empty((4, 3, 5), np.dtype(np.float32))
    other[:] = 2
    assert other.ctypes.data != where and (part == 1).all()
    del part
    again = buffers.empty((5, 2, 5), np.dtype(np.float32))
    assert again.ctypes.data == where and again.shape == (5, 2, 5) and where % 64 == 0
    assert buffers.empty((40, 30, 5), np.dtype(np.float64)).ctypes.data != other.ctypes.data


def test_batches_that_are_kept_stay_as_they_are(photos: Path) -> None:
    loader = og.Loader(photos, recipe(), batch_size=4, seed=3, threads=2)
    views = [(batch.image[1:], batch.image.tobytes()) for batch in loader]
    for _ in range(2):
        for batch in loader:
            batch.image[:] = 7
    assert all(view.tobytes() == all_bytes[-view.nbytes :] for view, all_bytes in views)


@pytest.mark.parametrize(
    ("each", "max_bad", "said"),
    [
        (1, "30%", "30 %"),
        (1, 0.39, "39 %"),
        (1, 1, "1"),
        (1, "1", "1"),
        (1, None, None),
        (5, 0, "0"),
        (5, 2, None),
    ],
)
def test_too_many_bad_files_end_the_pass(
    tmp_path: Path, each: int, max_bad: object, said: str | None
) -> None:
    home = class_folder(tmp_path, each=each, bad=True)  # two bad ones of 5, or of 17
    options = {} if max_bad is None else {"max_bad": max_bad}
    for shuffle in (False, True):
        loader = og.Loader(
            home, [og.Resize((8, 8))], on_error="skip", batch_size=1, shuffle=shuffle, **options
        )
        if said is None:
            with pytest.warns(og.OffgraphWarning, match="2 of"):
                assert sum(len(batch) for batch in loader) == 3 * each
        else:
            wanted = rf"[12] of {3 * each + 2} images of epoch 0 were left out so far, more than max_bad={said} allows, such"
            with pytest.raises(og.OffgraphError, match=wanted):
                list(loader)
    with pytest.raises(og.ArgumentError, match="max_bad='many': give a share"):
        og.Loader(home, max_bad="many")


# ---- order, passes, pickling


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [og.Resize((8, 8))],
        [og.Resize((8, 8)), og.Augment()],
        [og.Resize((8, 8)), og.Augment(og.Flip("X", p=0))],
        [og.Resize((8, 8)), og.Augment(og.Rotate(5))],
    ],
)
def test_what_draws_nothing_keeps_the_order_unless_asked(photos: Path, tmp_path: Path, steps: list) -> None:
    loader = og.Loader(photos, steps, batch_size=1)
    for _ in range(2):
        assert [int(batch.index[0]) for batch in loader] == list(range(15))
    assert not loader.shuffle and repr(loader).endswith("seed 0, in order>")
    assert og.Loader(photos, steps, shuffle=True).order(0).tolist() != list(range(15))
    og.build(photos, tmp_path / "out", steps)
    assert og.Loader(tmp_path / "out").order(3).tolist() == list(range(15))


def test_a_recipe_that_draws_is_shuffled(photos: Path) -> None:
    for step in (og.Rotate((-5, 5)), og.Flip("X", p=0.5), og.RandomCrop((8, 8))):
        loader = og.Loader(photos, [og.Augment(step)])
        assert loader.shuffle and repr(loader).endswith("seed 0, shuffled>")
        assert not og.Loader(photos, [og.Augment(step)], shuffle=False).shuffle


def test_passes_count_from_start_epoch(photos: Path) -> None:
    plain, later = (og.Loader(photos, recipe(), batch_size=4, start_epoch=k) for k in (0, 7))
    for epoch in (7, 8):
        assert all(same(a, b) for a, b in zip(later, plain.epoch(epoch), strict=True))
    for wrong in (-1, 1.5, True, "3"):
        with pytest.raises(og.ArgumentError, match=r"start_epoch=.*: give a whole number of at least 0"):
            og.Loader(photos, recipe(), start_epoch=wrong)  # type: ignore[arg-type]


def test_a_wrong_epoch_is_named_and_no_file(photos: Path) -> None:
    for wrong in (-1, 0.5, None):
        with pytest.raises(og.ArgumentError, match=rf"^epoch={wrong}: give a whole number from 0"):
            og.Loader(photos, recipe()).epoch(wrong)  # type: ignore[arg-type]


def test_a_loader_can_be_pickled(photos: Path, tmp_path: Path) -> None:
    og.build(photos, tmp_path / "folder", recipe(), copies=2)
    og.build(photos, tmp_path / "shards", recipe(), copies=2, format="tfrecord")
    for source in (photos, tmp_path / "folder", tmp_path / "shards"):
        loader = og.Loader(source, recipe(), batch_size=4, seed=3)
        next(iter(loader))  # a pass under way stays here
        copy = pickle.loads(pickle.dumps(loader))
        assert repr(copy) == repr(loader)
        for mine, other in zip(loader, copy, strict=True):  # both go on with epoch 1
            assert same(mine, other)


def test_a_pickled_loader_gives_equal_batches_in_another_process(photos: Path, tmp_path: Path) -> None:
    loader = og.Loader(photos, recipe(), batch_size=15, seed=3)
    (tmp_path / "loader.pickle").write_bytes(pickle.dumps(loader))
    code = (
        "import hashlib, pickle, sys\n"
        "(batch,) = pickle.load(open(sys.argv[1], 'rb'))\n"
        "print(hashlib.sha256(batch.image.tobytes()).hexdigest())\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "loader.pickle")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    (batch,) = loader
    assert done.stdout.strip() == hashlib.sha256(batch.image.tobytes()).hexdigest(), done.stderr


def test_a_colour_policy_that_is_not_followed_is_refused(photos: Path, tmp_path: Path) -> None:
    og.build(photos, tmp_path / "out", recipe())
    stored = r"color='grey': the dataset has color='rgb'; build it with color='grey', or leave it out"
    with pytest.raises(og.ArgumentError, match=stored):
        og.Loader(tmp_path / "out", color="grey")
    opened = r"color='keep': the source has color='grey'; open it with color='keep', or leave it out"
    source = og.open_source(photos, color="grey")
    with pytest.raises(og.ArgumentError, match=opened):
        og.Loader(source, color="keep")
    for same in (og.Loader(tmp_path / "out", color="rgb"), og.Loader(tmp_path / "out")):
        assert next(iter(same)).image.shape[-1] == 3
    assert next(iter(og.Loader(source, color="grey", batch_size=1))).image.ndim == 3
    assert next(iter(og.Loader(photos, color="grey", batch_size=1))).image.ndim == 3
    with pytest.raises(og.SourceError, match=r"color='blue'"):
        og.Loader(photos, color="blue")  # type: ignore[arg-type]


def test_a_dtype_of_masks_that_are_not_there_is_refused(photos: Path, tmp_path: Path) -> None:
    og.build(photos, tmp_path / "out", recipe())
    for source in (photos, og.open_source(photos), tmp_path / "out"):
        with pytest.raises(
            og.ArgumentError, match=r"mask_dtype='int32': the source has no masks; leave it out"
        ):
            og.Loader(source, mask_dtype="int32")
    images, masks = paired_folder(tmp_path / "pairs")
    og.build(og.open_source(images, masks=masks), tmp_path / "masked", [og.CenterCrop((16, 16))])
    (batch,) = og.Loader(tmp_path / "masked", mask_dtype="int32")
    assert batch.mask is not None and batch.mask.dtype == np.int32
