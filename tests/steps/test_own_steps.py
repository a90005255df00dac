"""Steps of users: declared in a few lines, held to the same contract, found by entry points."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import offgraph as og
from offgraph.recipe.schema import example, schema
from offgraph.steps import registry
from offgraph.steps.base import STEPS

IMAGE = np.random.default_rng(1).integers(0, 256, (9, 12, 3), np.uint8)


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    """Names that a test registers are gone after it."""
    before = dict(STEPS)
    registry._load_plugins.cache_clear()
    yield
    STEPS.clear()
    STEPS.update(before)
    registry._load_plugins.cache_clear()


def crispen() -> Any:
    @og.register
    class Crispen(og.FilterStep):
        """Add what a blur takes away.

        Parameters
        ----------
        amount : float or (low, high)
            How much.
        """

        amount: og.parameters.NaturalRange = 1.0

        def reference(self, ndi, image, params, channel=0):
            wide = image.astype(np.float64)
            return (wide + params["amount"] * (wide - ndi.gaussian_filter(wide, 1))).astype(image.dtype)

    return Crispen


def test_a_reference_alone_makes_a_filter():
    own = crispen()
    og.testing.check_step(own((0, 2), p=0.5))
    recipe = og.Compose([og.Augment(own((0, 2), id="crisp"))])
    assert og.Compose.from_yaml(recipe.to_yaml()) == recipe
    out = recipe(image=IMAGE, key=og.Key(1))
    np.testing.assert_array_equal(
        out.image[..., 1],
        own().reference(og.ndimage, IMAGE[..., 1], out.record["steps"][0]["params"]),
    )


def test_a_map_alone_makes_a_geometric_step():
    """It moves every target, comes back from files, replays, and is fused with its neighbours."""

    @og.register
    class Squeeze(og.ResampledStep):
        """Squeeze towards the middle column.

        Parameters
        ----------
        by : float or (low, high)
            Above 1 squeezes.
        """

        by: og.parameters.PositiveRange = 1.0

        def map(self, params, spec):
            matrix = np.diag([1.0] * (len(spec.size) - 1) + [params["by"]])
            centre = (np.array(spec.size) - 1) / 2
            return og.AffineMap(matrix, centre - matrix @ centre, spec.size, spec.size)

    og.testing.check_step(Squeeze((0.8, 1.2), p=0.5))
    recipe = og.Compose([Squeeze((0.5, 0.9), mode="nearest"), og.Flip(), Squeeze(1.5, mode="nearest")])
    assert og.Compose.from_yaml(recipe.to_yaml()) == recipe
    labels = (IMAGE[..., 0] > 99).astype(np.uint8)
    out = recipe(image=IMAGE, mask=labels, key=og.Key(1))
    np.testing.assert_array_equal(recipe.replay(out.record, image=IMAGE).image, out.image)
    assert out.frame.undo(mask=out.mask).shape == labels.shape
    assert "[steps 1 Squeeze, 2 Flip]" in recipe.explain(og.Image(IMAGE).spec, og.Key(1))


def test_a_map_decides_on_the_size():
    """Without `output_size` the map is asked, and a plain geometric step reads linearly with 0 outside."""

    @og.register
    class Frame(og.GeometricStep):
        """Add pixels on all sides, half a pixel off.

        Parameters
        ----------
        by : int
            How many.
        """

        by: int = 1

        def map(self, params, spec):
            size = tuple(n + 2 * self.by for n in spec.size)
            n = len(size)
            return og.AffineMap(np.eye(n), np.full(n, 0.5 - self.by), spec.size, size)

    og.testing.check_step(Frame(2))
    recipe = og.Compose([Frame(2), og.Rescale(1)])
    assert recipe.output_spec(og.Image(IMAGE).spec).shape == (13, 16, 3)
    assert recipe.output_spec(og.OpenSpec((None, None, 3), "uint8", "YXC")).shape == (None, None, 3)
    assert recipe(image=IMAGE).image.shape == (13, 16, 3)


def test_a_size_of_its_own_counts_and_not_that_it_was_kept():
    """`Affine` keeps the size; a step made of it that does not says so by `output_size`."""

    @og.register
    class Upper(og.Affine):
        """Turn, and keep the upper half."""

        def output_size(self, size, params):
            return (size[0] // 2, *size[1:])

        def map(self, params, spec):
            kept = self.output_size(spec.size, params)
            return super().map(params, spec).then(og.GridMap.crop((0,) * len(kept), kept, spec.size))

    assert og.Affine.keeps_size
    recipe = og.Compose([Upper(rotate=(-9, 9))])
    whole = og.Compose([og.Affine(rotate=(-9, 9))])
    assert recipe.output_spec(og.Image(IMAGE).spec).shape == (None, 12, 3)  # it draws: other lengths are open
    assert whole.output_spec(og.Image(IMAGE).spec).shape == IMAGE.shape
    out, before = (each(image=IMAGE, key=og.Key(1)).image for each in (recipe, whole))
    assert out.shape == (4, 12, 3) and out.any() and before.shape == IMAGE.shape


def test_python_code_of_its_own_still_runs():
    """With `apply` and `apply_mask` a step is not fused; with a map besides, other targets and the way back follow."""

    @og.register
    class Roll(og.GeometricStep):
        """Roll by a column."""

        def apply(self, image, params):
            return og.Image(np.roll(image.array, 1, axis=image.axes.index("X")), image.axes)

        def apply_mask(self, mask, params):
            return og.Mask(np.roll(mask.array, 1, axis=mask.axes.index("X")), mask.axes)

    labels = IMAGE[..., 0]
    recipe = og.Compose([og.Flip("Y"), Roll(), og.Flip("Y")])
    out = recipe(image=IMAGE, mask=labels)
    np.testing.assert_array_equal(out.image, np.roll(IMAGE, 1, axis=1))
    np.testing.assert_array_equal(out.mask, np.roll(labels, 1, axis=1))
    assert "run Roll's own Python code" in recipe.explain(og.Image(IMAGE).spec)
    with pytest.raises(og.StepError, match="step 2, Roll: it has no `map`"):
        _ = out.frame
    lies = type(
        "Lies", (og.FilterStep,), {"apply": lambda self, image, params: og.Image(image.array[1:], "YXC")}
    )
    lies.__doc__ = "Cuts a row and does not say so."
    with pytest.raises(og.StepError, match=r"step 1, Lies: made .*output_spec promised"):
        og.Compose([og.register(lies)()])(image=IMAGE)


def test_it_is_in_schema_and_messages():
    crispen()
    named = [entry["properties"] for entry in schema()["$defs"]["step"]["anyOf"] if "properties" in entry]
    (entry,) = [properties["Crispen"] for properties in named if "Crispen" in properties]
    assert entry["anyOf"][0]["properties"]["amount"]["description"] == "How much."
    with pytest.raises(og.RecipeError, match="unknown step 'Crispenn'; did you mean Crispen"):
        og.Compose.from_yaml("offgraph: 1\nsteps: [Crispenn]\n")
    with pytest.raises(og.StepError, match="Crispen: amount: expected a number of at least 0"):
        STEPS["Crispen"](-1)


def test_a_class_may_be_declared_again():
    """As a notebook does, whose cell is run twice."""
    assert crispen() is not crispen()


def other_rotate() -> type:
    class Rotate(og.FilterStep):
        """Another one."""

    return Rotate


def augment() -> type:
    return type("Augment", (og.FilterStep,), {"__doc__": "A name with a meaning."})


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (other_rotate, "Rotate: the name is taken by offgraph.transforms.geometric.rotate.Rotate"),
        (augment, "Augment: the name is taken"),
        (lambda: type("Plain", (og.Step,), {}), "Plain: derive it from GeometricStep, ResampledStep"),
        (lambda: dict, "register takes a class derived from a kind of step"),
        (lambda: og.Flip(), "register takes a class derived from a kind of step"),
    ],
)
def test_what_is_no_own_step(make, says):
    with pytest.raises(og.StepError, match=says):
        og.register(make())
    assert STEPS["Rotate"] is og.Rotate


def test_annotations_are_found_where_the_class_stands():
    Amount = og.parameters.Range

    @og.register
    class Local(og.FilterStep):
        """Local."""

        amount: Amount = 1.0

        def reference(self, ndi, image, params, channel=0):
            return image

    assert Local((1, 2)).draws and not Local(1).draws
    with pytest.raises(og.StepError, match="Unknown: its annotations name something that is not defined"):

        @og.register
        class Unknown(og.FilterStep):
            """Unknown."""

            amount: NotThere = 1.0  # noqa: F821

    assert "Unknown" not in STEPS


# the contract


@pytest.mark.parametrize("name", sorted(STEPS))
def test_every_step_of_offgraph_keeps_the_contract(name):
    step = og.Compose.from_yaml(example(STEPS[name])).steps[0]
    if isinstance(step, og.ResultStep):
        rng = np.random.default_rng(2)
        given = [rng.integers(0, 4, (9, 12)).astype(np.uint8), rng.random((9, 12, 3), np.float32)]
        given += [given[1][..., 0].copy()]
        images = [image for image in map(og.Image, given) if is_taken(step, image)]
        assert images
    elif 2 not in step.dimensions:
        images = [og.Image(np.random.default_rng(2).integers(0, 256, (5, 6, 7)).astype(np.uint8), "ZYX")]
    else:
        images = [og.Image(IMAGE)]
        images += [image for image in [og.Image(IMAGE[..., 0].astype(np.float32))] if is_taken(step, image)]
    og.testing.check_step(step, images)


def is_taken(step: og.Step, image: og.Image) -> bool:
    """Floats have to say their range, some steps need colours or bytes."""
    try:
        og.Compose([step]).output_spec(image.spec)
    except og.StepError as error:
        known = ("range= is needed", "channel", "takes uint8")
        of_results = ("takes labels", "takes probabilities", "takes a model's output")
        if not any(part in str(error) for part in known + of_results * isinstance(step, og.ResultStep)):
            raise
        return False
    return True


def broken(**methods: Any) -> og.Step:
    """A step whose one method keeps less than is promised."""
    namespace = {
        "__doc__": "Broken.\n\nParameters\n----------\namount : float\n    How much.\n",
        "__annotations__": {"amount": og.parameters.Number},
        "amount": 1.0,
        "reference": lambda self, ndi, image, params, channel=0: image + 1,
    }
    return og.register(type("Broken", (og.FilterStep,), namespace | methods))()


def changes_its_input(self, image, params):
    image.array[:] += 1
    return og.Image(image.array.copy(), image.axes)


@pytest.mark.parametrize(
    ("methods", "says"),
    [
        ({"__doc__": "Not described."}, "amount is not described"),
        ({"sample": lambda self, draw, spec: {"a": (1, 2)}}, "is not plain JSON"),
        ({"output_spec": lambda self, spec, params=None: spec.cast("float32")}, "output_spec promised"),
        ({"apply": lambda self, image, params: image}, "is not what reference defines"),
        (
            {"apply": changes_its_input, "reference": lambda self, ndi, image, params, channel=0: image},
            "changed its input",
        ),
        (
            {"apply_mask": lambda self, mask, params: og.Mask(mask.array + 9, mask.axes)},
            "labels that were not in it",
        ),
        (
            {"apply_mask": lambda self, mask, params: og.Mask(mask.array.astype(np.uint8), mask.axes)},
            "mask became uint8",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_broken_steps_are_told(methods, says):
    with pytest.raises(AssertionError, match=says):
        og.testing.check_step(broken(**methods))


def test_a_step_for_images_only_is_told_how_to_say_so():
    def transposed(self, params, spec):
        rows, columns = spec.size
        return og.GridMap((1, 0), (False, False), (0, 0), spec.size, (columns, rows))

    with pytest.raises(AssertionError, match=r"fails on a volume .*`dimensions = \(2,\)`"):
        og.testing.check_step(made(og.GeometricStep, map=transposed))
    og.testing.check_step(made(og.GeometricStep, map=transposed, dimensions=(2,)))


def of_range(**methods: Any) -> type[og.Step]:
    doc = "Scale.\n\nParameters\n----------\nby : float or (low, high)\n    Factor.\nto : int\n    Top.\n"
    fields = {"by": og.parameters.Range, "to": int}
    return og.register(
        type("Scaled", (og.PointwiseStep,), {"__doc__": doc, "__annotations__": fields, "to": 255, **methods})
    )


def test_defaults_of_whole_numbers_are_still_ranges_of_all_numbers():
    """A default is not parsed: what is drawn follows from the parameter's type, not from how its default is written."""
    fields = {"amount": og.parameters.Range, "count": og.parameters.NaturalRange}
    doc = "Drawn.\n\nParameters\n----------\namount, count : float\n    How much.\n"
    body = {"__doc__": doc, "__annotations__": fields, "amount": (0, 2), "count": 3}
    step = og.register(type("Drawn", (og.FilterStep,), body))()
    found = step.sample(og.Draw(og.Key(seed=1), "Drawn.0"), og.ArraySpec((4, 5), "uint8", "YX"))
    assert found["amount"] % 1 != 0 and type(found["count"]) is float
    assert (
        type(og.Posterize((2, 6)).sample(og.Draw(og.Key(), "x"), og.ArraySpec((4, 5), "uint8", "YX"))["bits"])
        is int
    )


def test_a_color_step_has_all_channels_and_each_frame():
    """Whatever the order of the axes; `channel` is the number of the frame; what it gives may not be its input."""
    step = made(
        og.ColorStep,
        reference=lambda self, ndi, image, params, channel=0: image[..., ::-1] + image.dtype.type(channel),
    )
    image = np.random.default_rng(0).integers(0, 9, (4, 5, 3, 2), np.uint8)
    expected = image[..., ::-1, :] + np.arange(2, dtype=np.uint8)
    for axes in ("YXCT", "TCYX", "CYTX", "YTCX"):
        given = image.transpose(["YXCT".index(name) for name in axes])
        out = og.Compose([step])(image=given, axes=axes).image
        np.testing.assert_array_equal(out, expected.transpose(["YXCT".index(name) for name in axes]))
    same = made(og.NoiseStep, reference=lambda self, ndi, image, params, channel=0: image)
    out = og.Compose([same])(image=image[..., 0]).image
    assert not np.shares_memory(out, image) and (out == image[..., 0]).all()
    wrong = made(og.ColorStep, reference=lambda self, ndi, image, params, channel=0: image / 2)
    with pytest.raises(og.StepError, match=r"made .*float64.*output_spec promised.*uint8"):
        og.Compose([wrong])(image=image[..., 0])
    flat = made(og.ColorStep, reference=lambda self, ndi, image, params, channel=0: image[..., 0])
    with pytest.raises(og.StepError, match=r"gives an array of shape \(4, 5\), expected \(4, 5, C\)"):
        og.Compose([flat])(image=image[..., 0])


def test_the_check_says_where_values_are_read_from():
    """A range read from the step is a pair; a parameter without a range is not in params; floats have no iinfo."""
    scale = of_range(
        reference=lambda self, ndi, image, params, channel=0: (image * self.by).astype(image.dtype)
    )
    with pytest.raises(
        AssertionError, match=r"an image of uint8, axes YXC \(ValueError: .*`params` holds .*\(by\)"
    ):
        og.testing.check_step(scale((1, 2)))
    top = of_range(reference=lambda self, ndi, image, params, channel=0: image.clip(0, params["to"]))
    with pytest.raises(AssertionError, match=r"\(KeyError: 'to'\).* other parameters are read from `self`"):
        og.testing.check_step(top(1))
    invert = made(
        og.PointwiseStep,
        reference=lambda self, ndi, image, params, channel=0: np.iinfo(image.dtype).max - image,
    )
    with pytest.raises(AssertionError, match=r"an image of float32, axes YX \(ValueError: .*give images="):
        og.testing.check_step(invert)
    og.testing.check_step(invert, [np.arange(12, dtype=np.uint8).reshape(3, 4)])


def test_a_mistake_in_a_step_says_where():
    """It stays the exception that it is; a note names step and image, also in the native runner's path and maps."""
    broken = made(og.FilterStep, reference=lambda self, ndi, image, params, channel=0: params["size"])
    with pytest.raises(KeyError) as caught:
        og.Compose([og.Flip(), broken])(image=np.zeros((4, 6), np.uint8))
    assert caught.value.__notes__ == ["in step 2, Made [image of shape (4, 6), dtype uint8, axes YX]"]
    bent = made(og.GeometricStep, map=lambda self, params, spec: params["by"])
    with pytest.raises(KeyError) as caught:
        og.Compose([bent])(image=np.zeros((4, 6), np.uint8))
    assert caught.value.__notes__ == ["in step 1, Made [image of shape (4, 6), dtype uint8, axes YX]"]


def made(base: Any, **methods: Any) -> og.Step:
    """A step without parameters."""
    return og.register(type("Made", (base,), {"__doc__": "Made.", **methods}))()


@pytest.mark.parametrize("size", [(9, 12, 3), (20, 20)], ids=["computed", "by table"])
@pytest.mark.parametrize("fuse", [True, False])
def test_values_are_not_cut_unnoticed(size, fuse):
    """200 * 1.5 is 300, and 44 in uint8."""
    brighter = made(og.PointwiseStep, reference=lambda self, ndi, image, params, channel=0: image * 1.5)
    recipe = og.Compose([brighter], fuse=fuse)
    for _ in range(2):
        with pytest.raises(og.StepError, match="reference gives float64, output_spec promises uint8: round"):
            recipe(image=np.full(size, 200, np.uint8))
    assert (
        recipe(image=np.full(size, 200, np.float32)).image.max() == 300
    )  # a shorter float is a matter of rounding


def test_a_step_with_its_own_sample_draws():
    """One that takes no range and says nothing would draw the same for every image."""

    def noisy(self, ndi, image, params, channel=0):
        noise = np.random.default_rng((params["seed"], channel)).normal(0, 9, image.shape)
        return np.clip(np.rint(image + noise), 0, 255).astype(image.dtype)

    methods = {"sample": lambda self, draw, spec: {"seed": draw.integer(0, 2**32 - 1)}, "reference": noisy}
    recipe = og.Compose([made(og.FilterStep, **methods)])
    with pytest.raises(og.StepError, match="Made draws"):
        recipe(image=IMAGE)
    first, second = (recipe(image=IMAGE, key=og.Key(index=i)) for i in range(2))
    assert (first.image != second.image).any()
    np.testing.assert_array_equal(recipe.replay(first.record, image=IMAGE).image, first.image)
    assert not og.Affine(rotate=5).varies and not og.Resize(4).varies  # they sample, and tell when they draw
    fixed = made(og.FilterStep, **methods, varies=False)
    assert (og.Compose([fixed])(image=IMAGE).image != IMAGE).any()


@pytest.mark.parametrize("fuse", [True, False])
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda spec: np.eye(2), "`map` gives ndarray, not a coordinate map"),
        (
            lambda spec: og.AffineMap(np.eye(2), np.zeros(2), (5, 5), spec.size),
            r"`map` has input_size \(5, 5\), the image has size \(9, 12\)",
        ),
    ],
    ids=["array", "size"],
)
def test_what_is_no_map_of_the_image_is_refused(make, says, fuse):
    step = made(og.GeometricStep, map=lambda self, params, spec: make(spec))
    with pytest.raises(og.StepError, match=f"step 1, Made: {says}"):
        og.Compose([step, og.Flip()], fuse=fuse)(image=IMAGE)


def test_what_is_written_by_mistake_is_told():
    class Wider(og.FilterStep):
        """Wider."""

        size: int = 3

    with pytest.raises(
        og.StepError, match=r"Wider: write @og\.register before the class, whose fields are size"
    ):
        Wider(size=5)
    with pytest.raises(og.StepError, match=r"write Flip\(…\), with its parameters"):
        og.Compose([og.Flip])
    floats = made(og.FilterStep, reference=lambda self, ndi, image, params, channel=0: image * 1.5)
    with pytest.raises(og.StepError, match="cast the values to uint8, or promise float64 by `output_spec`"):
        og.Compose([floats])(image=IMAGE)


def test_what_is_missing_is_named():
    with pytest.raises(og.StepError, match="Made has no `reference`"):
        og.Compose([made(og.FilterStep)])(image=IMAGE)


# plugins


def install(folder: Path, name: str, code: str) -> None:
    """A package with an entry point, as an installer leaves it."""
    (folder / f"{name}_steps.py").write_text(code)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[offgraph.steps]\n{name} = {name}_steps\n")


PLUGIN = '''
import offgraph as og

@og.register
class Brighten(og.PointwiseStep):
    """Add to every value."""

    by: int = 1

    def reference(self, ndi, image, params, channel=0):
        return (image + self.by).astype(image.dtype)
'''


def test_an_installed_step_is_found_when_a_recipe_names_it(tmp_path, monkeypatch):
    install(tmp_path, "sunny", PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    assert "Brighten" not in STEPS
    og.Compose.from_yaml("offgraph: 1\nsteps: [Flip]\n")
    assert "sunny_steps" not in sys.modules  # a known name loads nothing
    recipe = og.Compose.from_yaml("offgraph: 1\nsteps:\n- Brighten: {by: 3}\n")
    np.testing.assert_array_equal(recipe(image=IMAGE).image, IMAGE + 3)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import nothing_like_it", "ModuleNotFoundError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("1 +", "SyntaxError"),
    ],
)
def test_a_broken_plugin_is_named_and_the_others_are_loaded(code, says, tmp_path, monkeypatch):
    install(tmp_path, "broken", code)
    install(tmp_path, "sunny", PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("sunny_steps", None)
    with pytest.warns(
        og.OffgraphWarning, match=rf"the steps 'broken' of broken 1\.0 \(broken_steps\) .*{says}"
    ):
        recipe = og.Compose.from_yaml("offgraph: 1\nsteps: [Brighten]\n")
    assert recipe.steps[0].name == "Brighten"


def test_the_command_line_lists_and_describes_it(tmp_path):
    install(tmp_path, "sunny", PLUGIN)
    install(tmp_path, "broken", "import nothing_like_it")
    path = os.pathsep.join([str(tmp_path), str(Path(og.__file__).parents[1])])

    def offgraph(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "offgraph.apps.cli", *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"},
        )

    listed = offgraph("steps")
    assert listed.returncode == 0 and "Add to every value." in listed.stdout
    assert "offgraph: warning: the steps 'broken'" in listed.stderr and "Traceback" not in listed.stderr
    described = offgraph("steps", "Brighten")
    assert described.returncode == 0 and described.stdout.startswith("Brighten(by=1")
    assert "steps: [Brighten]" in described.stdout and "by: not described" in described.stdout


# equality


def test_recipes_are_equal_that_do_the_same():
    one = og.Compose([og.Resize((8, 8)), og.Augment(og.Rotate((-5, 5)))])
    assert one == og.Compose.from_yaml(one.to_yaml()) and len({one, og.Compose.from_dict(one.to_dict())}) == 1
    assert one != og.Compose([og.Resize((8, 8)), og.Rotate((-5, 5))])  # another layer
    assert one != og.Compose([og.Resize((8, 8)), og.Augment(og.Rotate((-5, 5), id="a"))])
    assert one != one.eval() and one != "recipe" and og.Compose() == og.Compose([])
    assert og.Augment(og.Flip()) == og.Augment(og.Flip()) != og.Augment(og.Flip("Y"))
    assert hash(og.Augment(og.Flip())) == hash(og.Augment(og.Flip()))


def test_targets_dump_no_arrays():
    assert repr(og.Image(IMAGE)) == "<Image: uint8 (9, 12, 3) YXC>"
    assert repr(og.Mask(IMAGE[..., 0])) == "<Mask: uint8 (9, 12) YX>"
