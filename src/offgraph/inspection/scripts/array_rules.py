"""NumPy's functions and the methods of arrays: casts, ranges, batches and random numbers."""

from __future__ import annotations

import math

from offgraph.inspection.scripts.calls import Call, function, method, source_of
from offgraph.inspection.scripts.values import UNKNOWN, Value, joined, literal, of_sequence

__all__ = []


# Casts --------------------------------------------------------------------------------------------------------------


def cast(call: Call, value: Value, dtype: Value, shown: str) -> Value:
    """Return a value cast to a dtype, and note what does not fit into it."""
    name = dtype_of(dtype)
    if not value.is_array and value.kind != "sequence":
        return value
    if name == "uint8" and value.kind == "image":
        if value.scaled and value.dtype == "float":
            said = f"{shown}: the values go from 0 to 1, and uint8 keeps their whole part: 0, or 1"
            call.found("scaled-cast", said, "og.imwrite(…, image)  # or og.Rescale(255) before the cast")
        elif value.beyond and value.dtype != "uint8":
            said = f"{shown}: after {value.beyond} values lie outside 0 to 255, and wrap: 260 becomes 4, -3 becomes 253"
            mend = (
                "og.GaussianNoise(…)  # saturates"
                if value.beyond == "noise"
                else "np.clip(…, 0, 255) first; Offgraph's steps saturate"
            )
            call.found("cast-wrap", said, mend)
    if name == "uint8" and value.dtype == "uint16":
        said = f"{shown}: 16-bit values keep their lowest byte: 256 becomes 0"
        call.found("depth", said, "og.PercentileNormalize(0.5, 99.5)  # or og.Rescale(1 / 65535)")
    elif name == "uint8" and value.dtype == "" and "deep" in value.facts and value.kind == "image":
        said = f"{shown}: of values of 16 bits, which such files hold, the lowest byte is kept: 256 becomes 0"
        call.found("depth", said, 'og.imread("cells.tif")  # 16 bits stay', sure=False)
    kept = value.beyond if name in ("float", "") else ""
    return value.but(dtype=name, beyond=kept)


def dtype_of(value: Value) -> str:
    """Return the dtype that an argument names, all floats as one."""
    text = value.constant if isinstance(value.constant, str) else value.name.rpartition(".")[2]
    if text.startswith("float") or text in ("half", "double", "single"):
        return "float"
    return text if text.startswith(("uint", "int", "bool")) else ""


@method("astype")
def _astype(call: Call) -> Value:
    given = call.bind("dtype")
    return cast(call, call.owner, given["dtype"], f"{source_of(call.node.func)}({given.text('dtype')})")


@function("tensorflow.cast", "numpy.asarray", "numpy.array", "numpy.ascontiguousarray", "tensorflow.convert_to_tensor", "tensorflow.constant")  # fmt: skip
def _array(call: Call) -> Value:
    given = call.bind("a", "dtype")
    value = given["a"]
    if value.kind == "pil":
        value = value.but(kind="mask" if value.is_mask else "image")
    elif value.kind == "sequence":
        value = _array_of(value)
    elif value == UNKNOWN and call.expected and call.short in ("asarray", "array"):
        return UNKNOWN
    return cast(call, value, given["dtype"], source_of(call.node)) if "dtype" in given else value


@function("numpy.uint8", "numpy.uint16", "numpy.float32", "numpy.float64")
def _scalar_type(call: Call) -> Value:
    value = call.args[0] if call.args else UNKNOWN
    return cast(call, value, Value("name", name=call.name), source_of(call.node))


def _array_of(value: Value) -> Value:
    """An array of a list: a matrix that is spelt out, or a batch of images."""
    items = value.items
    if items and all(item.kind == "sequence" and item.items for item in items):
        return _matrix(value)
    element = of_sequence(value)
    if element.kind == "pil":
        element = element.but(kind="mask" if element.is_mask else "image")
    if element.is_array:
        return element.but(batch=True)
    numbers = [item.number for item in items or ()]
    negative = any(number is not None and number < 0 for number in numbers)
    return Value(
        "sequence", items=items, element=value.element, facts=frozenset({"negative"} if negative else ())
    )


def _matrix(value: Value) -> Value:
    """Facts about a matrix: its size, whether it translates, whether weights are negative, degrees in its sines."""
    rows = value.items or ()
    widths = {len(row.items or ()) for row in rows}
    facts: set[str] = set()
    if widths == {len(rows)} and len(rows) in (2, 3):
        facts.add(f"{len(rows)}x{len(rows)}")
        cells = [[each.number for each in row.items or ()] for row in rows]
        if all(cells[y][x] == (1 if x == y else 0) for y in range(2) for x in range(2)):
            facts.add("identity")
        if len(rows) == 3 and any(cells[y][2] != 0 for y in range(2)):
            facts.add("translates")
    flat = [each.number for row in rows for each in row.items or ()]
    if any(number is not None and number < 0 for number in flat):
        facts.add("negative")
    if any(each.items for row in rows for each in row.items or ()):
        facts = {"three"}
    return Value("sequence", items=rows, facts=frozenset(facts))


# What is made ------------------------------------------------------------------------------------------------------


@function("numpy.zeros", "numpy.ones", "numpy.empty", "numpy.full")
def _made(call: Call) -> Value:
    given = call.bind("shape", *(("fill", "dtype") if call.short == "full" else ("dtype",)))
    lengths = given["shape"].items or ()
    facts = {"three"} if len(lengths) == 3 else set()
    if lengths and lengths[-1].number == 1:
        facts.add("single")
    if call.short in ("zeros", "ones"):
        facts.add("zeros")
    kind = call.expected or ("image" if len(lengths) == 3 and lengths[-1].number in (3, 4) else "")
    if not kind:
        return Value(facts=frozenset(facts))
    dtype = dtype_of(given["dtype"]) if "dtype" in given else "float"
    return Value(kind, colour=len(lengths) == 3 if lengths else None, dtype=dtype, batch=len(lengths) == 4, facts=frozenset(facts))  # fmt: skip


@function(
    "numpy.zeros_like", "numpy.ones_like", "numpy.empty_like", "numpy.copy", "copy.deepcopy", "copy.copy"
)
def _alike(call: Call) -> Value:
    value = call.args[0] if call.args else UNKNOWN
    return (
        value.with_facts("zeros") if call.short in ("zeros_like", "ones_like") and value.is_array else value
    )


@method("copy", "squeeze", "numpy", "batch", "prefetch", "cache", "take", "skip", "repeat")
def _same(call: Call) -> Value:
    value = call.owner
    return value.but(batch=False) if call.name == "squeeze" and value.is_array else value


@function("numpy.flip", "numpy.fliplr", "numpy.flipud", "numpy.rot90", "numpy.ascontiguousarray", "numpy.pad", "numpy.roll", "numpy.nan_to_num", "numpy.squeeze")  # fmt: skip
def _rearranged(call: Call) -> Value:
    return call.args[0] if call.args and call.args[0].is_array else UNKNOWN


@function("numpy.clip", "tensorflow.clip_by_value", "numpy.minimum", "numpy.maximum")
def _clip(call: Call) -> Value:
    value = call.args[0] if call.args else UNKNOWN
    return value.but(beyond="") if value.is_array else value


@method("clip")
def _clip_method(call: Call) -> Value:
    return call.owner.but(beyond="") if call.owner.is_array else call.owner


@function(
    "numpy.round", "numpy.rint", "numpy.abs", "numpy.absolute", "numpy.sqrt", "numpy.floor", "numpy.fabs"
)
def _pointwise(call: Call) -> Value:
    return call.args[0] if call.args and call.args[0].is_array else UNKNOWN


@function("numpy.hypot")
def _hypot(call: Call) -> Value:
    return call.args[0].but(beyond="multiplication") if call.args and call.args[0].is_array else UNKNOWN


@function(
    "numpy.mean", "numpy.max", "numpy.min", "numpy.sum", "numpy.argmax", "tensorflow.argmax", "numpy.median"
)
def _reduced(call: Call) -> Value:
    given = call.bind("a", "axis")
    return _reduction(call, given["a"], given["axis"])


@method("mean", "max", "min", "sum", "argmax")
def _reduced_method(call: Call) -> Value:
    return _reduction(call, call.owner, call.bind("axis")["axis"])


def _reduction(call: Call, value: Value, axis: Value) -> Value:
    if not value.is_array or axis.number not in (-1, 2):
        return UNKNOWN
    if call.short == "argmax":
        return Value("mask", colour=False, dtype="int64")
    return value.but(colour=False, dtype="float" if call.short == "mean" else value.dtype)


@function("numpy.expand_dims", "tensorflow.expand_dims")
def _expand(call: Call) -> Value:
    given = call.bind("a", "axis")
    value, axis = given["a"], given["axis"].number
    if not value.is_array:
        return value
    if axis == 0:
        return value.but(batch=True)
    return value.but(colour=True).with_facts("single") if axis in (-1, 2, 3) else value


@function("numpy.stack", "numpy.concatenate", "numpy.vstack", "numpy.dstack")
def _stack(call: Call) -> Value:
    given = call.bind("arrays", "axis")
    element, axis = of_sequence(given["arrays"]), given.constant("axis", 0)
    if not element.is_array:
        return UNKNOWN
    if call.short == "dstack" or axis in (-1, 2):
        return element.but(colour=True)
    return element.but(batch=True)


@method("reshape")
def _reshape(call: Call) -> Value:
    if not call.owner.is_array:
        return UNKNOWN
    shape = call.args[0].items if len(call.args) == 1 and call.args[0].items else call.args
    last = shape[-1].number if shape else None
    if len(shape) == 2:
        return call.owner.but(colour=False, batch=False)
    return call.owner.but(colour=True if last in (3, 4) else None, batch=len(shape) == 4)


@function("numpy.load")
def _load(call: Call) -> Value:
    return Value(call.expected, batch=True) if call.expected else UNKNOWN


@function(
    "numpy.deg2rad",
    "numpy.radians",
    "math.radians",
    "numpy.arctan2",
    "math.atan2",
    "numpy.arctan",
    "math.atan",
)
def _radians(call: Call) -> Value:
    value = call.args[0] if call.args else UNKNOWN
    number = None if value.number is None else math.radians(value.number)
    turned = call.short in ("deg2rad", "radians")
    return (literal(number) if number is not None and turned else UNKNOWN).but(unit="radians")


@function("numpy.rad2deg", "numpy.degrees", "math.degrees")
def _degrees(call: Call) -> Value:
    return Value(unit="degrees")


@function("numpy.cos", "numpy.sin", "numpy.tan", "math.cos", "math.sin", "math.tan")
def _trigonometry(call: Call) -> Value:
    value = call.args[0] if call.args else UNKNOWN
    number, text = value.number, source_of(call.node.args[0]) if call.node.args else ""
    told = text.lstrip("-").replace(".", "").isdigit() or any(
        word in text.lower() for word in ("deg", "angle", "theta", "rot")
    )
    whole = number is not None and abs(number) >= 10 and number % 5 == 0
    far = value.span is not None and max(map(abs, value.span)) >= 10
    if value.unit == "degrees" or ((whole or far) and value.unit != "radians"):
        ends = "" if value.span is None else f", from {value.span[0]:g} to {value.span[1]:g}"
        said = f"{source_of(call.node)} takes radians, and gets {text}{ends}"
        sure = told or value.unit == "degrees"
        call.found("degrees", said, "og.Rotate(…)  # degrees everywhere", sure=sure)
    return UNKNOWN


# Random numbers ----------------------------------------------------------------------------------------------------


@function("numpy.random.seed", "random.seed", "tensorflow.random.set_seed", "tensorflow.set_random_seed", "keras.utils.set_random_seed")  # fmt: skip
def _seed(call: Call) -> Value:
    if call.name.startswith("keras"):
        call.notes.seeded |= {"numpy", "python", "tensorflow"}
    else:
        call.notes.seeded.add({"n": "numpy", "r": "python", "t": "tensorflow"}[call.name[0]])
    return UNKNOWN


@function("numpy.random.default_rng", "numpy.random.RandomState", "random.Random")
def _generator(call: Call) -> Value:
    given = call.bind("seed")
    if given.absent("seed"):
        said = f"{source_of(call.node)} starts from another seed in every run"
        call.found("unseeded", said, "og.Loader(…, seed=7)  # every draw comes from (seed, epoch, index)")
    return Value("name", name="offgraph.drawn")


@function("numpy.random.Generator", "numpy.random.SeedSequence", "numpy.random.PCG64", "numpy.random.Philox")
def _generator_of_bits(call: Call) -> Value:
    return Value("name", name="offgraph.drawn")


@function("offgraph.drawn.*")
def _drawn(call: Call) -> Value:
    return _random_value(call)


@function("numpy.random.*", "random.*")
def _global_random(call: Call) -> Value:
    call.notes.random.append(("numpy" if call.name.startswith("numpy") else "python", call.node))
    return _random_value(call)


def _random_value(call: Call) -> Value:
    chosen = call.short in ("choice", "permutation", "sample")
    if chosen and call.args:
        return of_sequence(call.args[0]) if call.short == "choice" else call.args[0]
    span = _span(call)
    whole = call.short in ("integers", "randint", "poisson", "binomial", "choice", "shuffle")
    return Value(dtype="int" if whole else "float", span=span, facts=frozenset({"random"}))


def _span(call: Call) -> tuple[float, float] | None:
    """Between which ends a single random number lies; None where the script does not say, or draws an array."""
    if (
        call.short in ("rand", "random", "random_sample")
        and call.complete
        and not call.args + tuple(call.keywords)
    ):
        return 0.0, 1.0
    if call.short not in ("uniform", "randint", "integers", "randrange"):
        return None
    given = call.bind("low", "high", "size")
    low, high = given["low"].number, given["high"].number
    if "size" in given or low is None or (high is None and "high" in given):
        return None
    return (0.0, low) if high is None else (low, high)


@function("sklearn.model_selection.train_test_split")
def _split(call: Call) -> Value:
    given = call.bind()
    if given.absent("random_state"):
        said = "train_test_split without random_state divides differently in every run"
        call.found("unseeded", said, 'train, val = og.split("photos/", val=0.2, seed=7)')
    return Value("sequence", items=tuple(each for value in call.args for each in (value, value)))


# Sequences ---------------------------------------------------------------------------------------------------------


@function(
    "builtins.sorted", "builtins.list", "builtins.tuple", "builtins.reversed", "builtins.iter", "tqdm.*"
)
def _listed(call: Call) -> Value:
    value = call.args[0] if call.args else Value("sequence")
    if call.short == "sorted" and call.node.args:
        call.notes.ordered.add(call.node.args[0])
    return value.but(facts=value.facts - {"unordered"}) if call.short == "sorted" else value


@method("sort")
def _sort(call: Call) -> Value:
    call.notes.seen.add("sorted")
    return UNKNOWN


@function("builtins.enumerate")
def _enumerate(call: Call) -> Value:
    value = call.args[0] if call.args else UNKNOWN
    return Value("sequence", element=Value("sequence", items=(UNKNOWN, of_sequence(value))))


@function("builtins.zip")
def _zip(call: Call) -> Value:
    if len(call.args) == 2 and all(each.kind == "flow" for each in call.args):
        return _zipped_flows(call)
    for value, node in zip(call.args, call.node.args, strict=False):
        if "unordered" in value.facts and len(call.args) > 1:
            said = f"{source_of(node)} lists files in the order of the file system: pairs may not match"
            call.found("unsorted", said, 'og.open_source("images/", masks="masks/")  # paired by name')
    return Value("sequence", element=Value("sequence", items=tuple(map(of_sequence, call.args))))


def _zipped_flows(call: Call) -> Value:
    seeds = [each.constant for each in call.args]
    if seeds[0] != seeds[1] or None in seeds:
        shown = " and ".join("no seed" if seed is None else f"seed={seed}" for seed in seeds)
        said = (
            f"images and masks are drawn with {shown}: an image is turned, and its mask is turned otherwise"
        )
        call.found(
            "pairs-out-of-step",
            said,
            "og.Loader(source_with_masks, recipe, seed=7)  # one draw moves image and mask",
        )
    return joined(*call.args)


@function("builtins.range", "builtins.len", "builtins.int", "builtins.float", "builtins.round")
def _plain(call: Call) -> Value:
    value = call.args[0] if call.args else UNKNOWN
    if call.short in ("int", "round") and value.kind == "length":
        return value
    return value.but(kind="") if value.number is not None and call.short in ("int", "float") else UNKNOWN


@method("append", "extend", "insert", "add")
def _appended(call: Call) -> Value:
    return UNKNOWN


@method("transpose", "swapaxes")
def _transposed(call: Call) -> Value:
    return call.owner
