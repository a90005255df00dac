"""The traps of `scipy.ndimage`: what its functions do to channels, grids, ranges and labels."""

from __future__ import annotations

from offgraph.inspection.scripts.calls import Arguments, Call, function
from offgraph.inspection.scripts.values import UNKNOWN, Value, expected_of

__all__ = []

_PREFIX = "scipy.ndimage."
_LABELS = {"label", "labels", "lbl", "lbls"}


def _names(*names: str) -> tuple[str, ...]:
    return tuple(_PREFIX + name for name in names)


def _subject(call: Call, given: Arguments) -> Value:
    """The array that a function is given; one that is not known is judged by its name."""
    value = given["input"]
    if value.is_array:
        return value.but(kind="mask" if value.is_mask else "image")
    if value.kind == "sequence":
        return UNKNOWN
    text = given.text("input")
    if value == UNKNOWN and text.isidentifier() and _LABELS.intersection(text.lower().split("_")):
        return Value("mask", facts=frozenset({"perhaps"}))  # of images; or of classes
    expected = expected_of(text.split("[")[0].split("(")[0]) or call.expected
    return value.but(kind=expected) if expected else value


def _about_channels(value: Value) -> tuple[str, bool] | None:
    """How to say that an image has channels, and whether that is sure; None where it has none, or nothing is known."""
    if value.colour is False or "single" in value.facts or value.kind not in ("image", "mask"):
        return None
    if value.is_mask and value.colour is None:
        return None
    return ("", True) if value.colour else (", if the image has channels", False)


def _is_scalar(given: Arguments, name: str) -> bool:
    """Whether an argument is one number for all axes, as far as can be seen."""
    value = given[name]
    if value.number is None and (name == "shift" or given.text(name).split("[")[0].endswith("s")):
        return False  # a name that may hold one number per axis
    return name in given and value.kind != "sequence" and value.items is None and not value.is_array


def _number(given: Arguments, name: str, default: str = "…") -> str:
    return given.text(name) if name in given else default


_FILTERS = {
    "gaussian_filter": (
        "sigma",
        "GaussianFilter",
        ("input", "sigma", "order", "output", "mode", "cval", "truncate"),
    ),
    "median_filter": (
        "size",
        "MedianFilter",
        ("input", "size", "footprint", "output", "mode", "cval", "origin"),
    ),
    "uniform_filter": ("size", "UniformFilter", ("input", "size", "output", "mode", "cval", "origin")),
    "minimum_filter": (
        "size",
        "MinFilter",
        ("input", "size", "footprint", "output", "mode", "cval", "origin"),
    ),
    "maximum_filter": (
        "size",
        "MaxFilter",
        ("input", "size", "footprint", "output", "mode", "cval", "origin"),
    ),
    "percentile_filter": ("size", "PercentileFilter", ("input", "percentile", "size", "footprint", "output")),
    "rank_filter": ("size", "Ndimage", ("input", "rank", "size", "footprint", "output")),
    "generic_filter": ("size", "", ("input", "function", "size", "footprint", "output")),
    "vectorized_filter": ("size", "", ("input", "function")),
    "gaussian_laplace": ("sigma", "Laplacian", ("input", "sigma", "output")),
    "gaussian_gradient_magnitude": ("sigma", "GradientMagnitude", ("input", "sigma", "output")),
    "grey_erosion": ("size", "Ndimage", ("input", "size", "footprint", "structure", "output")),
    "grey_dilation": ("size", "Ndimage", ("input", "size", "footprint", "structure", "output")),
    "grey_opening": ("size", "Ndimage", ("input", "size", "footprint", "structure", "output")),
    "grey_closing": ("size", "Ndimage", ("input", "size", "footprint", "structure", "output")),
    "morphological_gradient": ("size", "Ndimage", ("input", "size", "footprint", "structure", "output")),
    "white_tophat": ("size", "WhiteTopHat", ("input", "size", "footprint", "structure", "output")),
    "black_tophat": ("size", "Ndimage", ("input", "size", "footprint", "structure", "output")),
}
_SMOOTH = {"gaussian_filter", "median_filter", "uniform_filter", "percentile_filter"}
_AVERAGES = {"gaussian_filter", "uniform_filter"}
_DERIVATIVES = {"gaussian_laplace", "gaussian_gradient_magnitude"}


def _step_of(call: Call, given: Arguments, window: str, step: str) -> str:
    """The Offgraph line of a filter."""
    size = _number(given, window, "3" if window == "size" else "1")
    if step == "Ndimage":
        rank = f", rank={given.text('rank')}" if "rank" in given else ""
        return f'og.Ndimage("{call.short}", size={size}{rank})'
    if step == "PercentileFilter":
        return f"og.PercentileFilter({_number(given, 'percentile')}, {size})"
    return f"og.{step}({size})" if step else "og.Lambda(image=…)  # on the spatial axes alone"


@function(*_names(*_FILTERS))
def _filter(call: Call) -> Value:
    window, step, names = _FILTERS[call.short]
    given = call.bind(*names)
    value = _subject(call, given)
    mend = _step_of(call, given, window, step)
    if step:
        spatial = given[window].items
        call.step(mend if spatial is None else _step_of_axes(call, given, window, step))
    channels = _about_channels(value)
    scalar = (
        _is_scalar(given, window)
        and given.absent("axes")
        and given[window].number not in ((0,) if window == "sigma" else (0, 1))
    )
    if channels is not None and scalar and value.batch:
        said = (
            f"{call.short}({window}={given.text(window)}) runs along the batch's first axis too: images mix"
        )
        call.found("batch-filtered", said, f"{mend}  # each image by itself", sure=True)
    if channels is not None and scalar:
        size = given[window].constant
        reach = (
            f"{size}×{size}×{size}" if window == "size" and size is not None else "rows, columns and channels"
        )
        said = f"{call.short}({window}={given.text(window)}) takes {reach}: colours mix{channels[0]}"
        call.found("channels-filtered", said, f"{mend}  # spatial axes only", sure=channels[1])
    if value.is_mask and call.short in _AVERAGES and value.dtype != "float":
        said = f"{call.short} of {given.text('input')}: labels 0 and 2 average to 1, a label that nobody drew"
        call.found(
            "mask-filtered",
            said,
            f"recipe(image=image, mask={given.text('input')})  # {step} leaves masks as they are",
            sure="perhaps" not in value.facts,
        )
    if call.short in _DERIVATIVES:
        _derivative(call, given, value, mend)
        return value.but(kind="image", dtype=value.dtype, scaled=None, beyond="derivative")
    return value.with_facts("blurred") if call.short in _SMOOTH else value


def _step_of_axes(call: Call, given: Arguments, window: str, step: str) -> str:
    """A filter's line for sizes per axis: (3, 3, 1) is 3 on the spatial axes."""
    sizes = [each.number for each in given[window].items or ()]
    spatial = sizes[:-1] if len(sizes) == 3 and sizes[-1] in (0, 1) else sizes
    if None in spatial or not spatial or step in ("Ndimage", "PercentileFilter"):
        return _step_of(call, given, window, step)
    shown = f"{spatial[0]:g}" if len(set(spatial)) == 1 else repr(tuple(spatial))
    return f"og.{step}({shown})"


def _derivative(call: Call, given: Arguments, value: Value, mend: str) -> None:
    if value.dtype in ("uint8", "uint16") and given.absent("output"):
        said = f"{call.short} of {value.dtype} stores {value.dtype}: slopes below zero wrap, -1 becomes 255 (or 65535)"
        call.found("unsigned-derivative", said, f"{mend}  # in float32")


@function(*_names("sobel", "prewitt", "gaussian_filter1d", "uniform_filter1d", "correlate1d", "convolve1d", "maximum_filter1d", "minimum_filter1d", "generic_filter1d", "spline_filter1d"))  # fmt: skip
def _along_one_axis(call: Call) -> Value:
    first = {
        "sobel": (),
        "prewitt": (),
        "gaussian_filter1d": ("sigma",),
        "correlate1d": ("weights",),
        "convolve1d": ("weights",),
    }
    names = (
        "input",
        *first.get(call.short, ("size",)),
        "axis",
        "order" if "gaussian" in call.short else "output",
    )
    given = call.bind(*names)
    value = _subject(call, given)
    derivative = call.short in ("sobel", "prewitt")
    mend = "og.GradientMagnitude(1)" if derivative else f'og.Ndimage("{call.short}", …, axis="X")'
    if derivative:
        call.step(mend)
    channels = _about_channels(value)
    axis = given.constant("axis", -1)
    if channels is not None and axis in (-1, 2):
        said = f"{call.short} works on {'the last axis by default' if given.absent('axis') else f'axis {axis}'}: along the channels, not the columns{channels[0]}"
        call.found("channels-derived", said, f"{mend}  # spatial axes by name", sure=channels[1])
    if derivative:
        _derivative(call, given, value, mend)
        return value.but(kind="image", scaled=None, beyond="derivative")
    return value


@function(*_names("laplace", "generic_laplace", "morphological_laplace", "generic_gradient_magnitude"))
def _laplace(call: Call) -> Value:
    given = call.bind("input", "output" if call.short == "laplace" else "size")
    value = _subject(call, given)
    mend = call.step("og.Laplacian(1)")
    channels = _about_channels(value)
    if channels is not None and given.absent("axes"):
        said = f"{call.short} adds the second derivative along the channels{channels[0]}"
        call.found("channels-filtered", said, f"{mend}  # spatial axes only", sure=channels[1])
    _derivative(call, given, value, mend)
    return value.but(kind="image", scaled=None, beyond="derivative")


@function(*_names("correlate", "convolve"))
def _weights(call: Call) -> Value:
    given = call.bind("input", "weights", "output", "mode", "cval", "origin")
    value, weights = _subject(call, given), given["weights"]
    channels = _about_channels(value)
    if channels is not None and "three" in weights.facts and given.absent("axes"):
        said = f"{call.short} with weights of three axes sums over the channels{channels[0]}"
        call.found(
            "channels-filtered",
            said,
            "og.Kernel(…)  # weights of two axes, for each channel",
            sure=channels[1],
        )
    if "negative" in weights.facts:
        _derivative(call, given, value, "og.Kernel(…)")
    return value


# Resampling ---------------------------------------------------------------------------------------------------------


def _order(call: Call, given: Arguments, value: Value, mend: str) -> int | None:
    """Note what the spline order does; return it where it is known."""
    order = given.constant("order", 3)
    if not isinstance(order, int):
        return None
    said_order = "order 3, the default," if given.absent("order") else f"order {order}"
    if value.is_mask and order > 0:
        said = f"{call.short} of {given.text('input')} with {said_order}: between labels 0 and 2 lies 1, a label that nobody drew"
        call.found(
            "mask-interpolated",
            said,
            f"{mend}  # recipe(image=image, mask={given.text('input')}): masks by nearest neighbour",
            sure="perhaps" not in value.facts,
        )
    elif order > 1 and call.short in (
        "zoom",
        "shift",
        "affine_transform",
        "map_coordinates",
        "geometric_transform",
        "rotate",
    ):
        channels = _about_channels(value)
        through = (
            ", and its filter runs along the channels too"
            if channels is not None and call.short != "rotate"
            else ""
        )
        if value.kind == "image":
            rims = (
                "rims that the image does not have"
                if value.dtype == "uint8"
                else "values leave the range of the image"
            )
            said = f"{call.short} with {said_order} overshoots at edges: {rims}{through}"
            about = (
                "antialiased, and in range"
                if call.short == "zoom"
                else "order=1 by default, in range; order=3 where it is meant"
            )
            call.found("spline", said, f"{mend}  # {about}", sure=value.dtype != "")
    return order


def _wrap(call: Call, given: Arguments) -> None:
    if given.constant("mode", "constant") == "wrap":
        said = f"{call.short}(mode='wrap') repeats the image with one pixel less than it has"
        call.found("wrap-mode", said, "mode='grid-wrap'")


def _moved(value: Value, order: int | None) -> Value:
    overshoots = order is not None and order > 1 and value.dtype == "float"
    return value.but(beyond="spline") if overshoots else value


@function(*_names("zoom"))
def _zoom(call: Call) -> Value:
    given = call.bind("input", "zoom", "output", "order", "mode", "cval", "prefilter")
    value = _subject(call, given)
    factor = given["zoom"]
    factors = [each.number for each in factor.items] if factor.items else [factor.number]
    known = [each for each in factors if each is not None]
    spatial = known[:-1] if len(known) == 3 and known[-1] == 1 else known
    if _is_scalar(given, "zoom"):
        shown = given.text("zoom")
    else:
        shown = (
            f"{spatial[0]:g}"
            if spatial and len(set(spatial)) == 1
            else "…"
            if len(spatial) != 2
            else f"({spatial[0]:g}, {spatial[1]:g})"
        )
    mend = f"og.Resize(scale={shown})" if shown != "…" else "og.Resize((224, 224))"
    call.step(mend)
    channels = _about_channels(value)
    changes_channels = channels is not None and _is_scalar(given, "zoom")
    if changes_channels and channels is not None:
        count = "" if factor.number is None else f": three become {round(3 * factor.number)}"
        said = f"zoom(…, {given.text('zoom')}) zooms the channels too{count}{channels[0]}"
        call.found("channels-zoomed", said, f"{mend}  # spatial axes only", sure=channels[1])
    grid = given.constant("grid_mode", False)
    if grid is False:
        said = "zoom puts the centres of the corner pixels onto each other: stretched by a fraction of a pixel, and shifted against what Pillow, OpenCV or tf.image.resize give"
        call.found("corner-grid", said, f"{mend}  # pixel areas onto each other")
    elif grid is True and given.constant("mode", "constant") == "constant":
        said = "zoom(grid_mode=True) reads past the border, where mode='constant' is black: edges get dark"
        call.found("grid-border", said, f"{mend}, or mode='nearest'")
    order = _order(call, given, value, mend)
    if known and min(known) < 1 and not value.is_mask and "blurred" not in value.facts and order != 0:
        said = f"zoom(…, {given.text('zoom')}) skips pixels without smoothing: fine patterns turn into coarse ones"
        call.found("aliasing", said, f"{mend}  # antialiased where it shrinks")
    _wrap(call, given)
    result = _moved(value, order)
    return result.but(colour=None) if changes_channels else result


@function(*_names("rotate"))
def _rotate(call: Call) -> Value:
    given = call.bind("input", "angle", "axes", "reshape", "output", "order", "mode", "cval", "prefilter")
    value = _subject(call, given)
    angle = given["angle"]
    mend = call.step(f"og.Rotate({_degrees(given, 'angle')})")
    far = angle.number if angle.span is None else max(angle.span, key=abs)
    if angle.unit == "radians" or (far is not None and 0 < abs(far) < 1.6 and not float(far).is_integer()):
        sure = angle.unit == "radians"
        said = f"rotate takes degrees, and gets {given.text('angle')}{', which is in radians' if sure else ': radians?'}"
        call.found("radians", said, f"{mend}  # degrees everywhere", sure=sure)
    quarter = angle.number is not None and angle.number % 180 == 0
    if given.constant("reshape", True) is True and not quarter and value.kind in ("image", "mask", ""):
        said = f"rotate({given.text('angle')}) enlarges the image to hold its corners: shapes differ, and do not fit into a batch"
        call.found("reshape", said, f"{mend}  # keeps the size")
    if value.batch and given.absent("axes"):
        said = "rotate turns the first two axes by default: of a batch, image number and row"
        call.found("batch-filtered", said, f"{mend}  # each image by itself")
    order = _order(call, given, value, mend)
    _wrap(call, given)
    return _moved(value, order)


def _degrees(given: Arguments, name: str) -> str:
    value, text = given[name], given.text(name)
    if value.unit == "radians":
        for head in ("np.deg2rad(", "np.radians(", "math.radians(", "numpy.deg2rad(", "numpy.radians("):
            if text.startswith(head) and text.endswith(")"):
                return text[len(head) : -1]
        return f"np.rad2deg({text})"
    return text or "…"


@function(*_names("shift"))
def _shift(call: Call) -> Value:
    given = call.bind("input", "shift", "output", "order", "mode", "cval", "prefilter")
    value = _subject(call, given)
    offsets = given["shift"].items
    shown = f"({given.text('shift')}, {given.text('shift')})" if offsets is None else given.text("shift")
    if offsets is not None and len(offsets) == 3:
        numbers = [each.number for each in offsets]
        shown = f"({numbers[0]:g}, {numbers[1]:g})" if None not in numbers[:2] else "(…, …)"
    mend = call.step(f"og.Shift({shown})")
    channels = _about_channels(value)
    if channels is not None and _is_scalar(given, "shift"):
        said = f"shift(…, {given.text('shift')}) shifts the channels too: red moves out, others take its place{channels[0]}"
        call.found("channels-shifted", said, f"{mend}  # spatial axes only", sure=channels[1])
    order = _order(call, given, value, mend)
    _wrap(call, given)
    return _moved(value, order)


@function(*_names("affine_transform"))
def _affine(call: Call) -> Value:
    given = call.bind(
        "input", "matrix", "offset", "output_shape", "output", "order", "mode", "cval", "prefilter"
    )
    value, matrix = _subject(call, given), given["matrix"]
    mend = call.step(_affine_step(matrix))
    channels = _about_channels(value)
    if channels is not None and "3x3" in matrix.facts:
        said = f"a 3×3 matrix on rows, columns and channels: its third column multiplies the channel number, it does not translate{channels[0]}"
        call.found("channels-matrix", said, f"{mend}  # never mixes channels", sure=channels[1])
    translated = "offset" in given or (channels is None and "translates" in matrix.facts)
    if matrix.facts & {"2x2", "3x3"} and not translated and "identity" not in matrix.facts:
        said = "the matrix leads from output to input pixels, and without an offset turns and shears about the corner pixel"
        call.found("corner-origin", said, f"{mend}  # about the centre")
    order = _order(call, given, value, mend)
    _wrap(call, given)
    return _moved(value, order)


def _affine_step(matrix: Value) -> str:
    """The Offgraph line for a matrix that the script spells out: a shear, a translation."""
    rows = [[each.number for each in row.items or ()] for row in matrix.items or ()]
    if len(rows) not in (2, 3) or any(len(row) != len(rows) for row in rows):
        return "og.Affine(…)"
    a, b, c, d = rows[0][0], rows[0][1], rows[1][0], rows[1][1]
    if (a, d) != (1, 1) or c != 0 or b is None:
        return (
            "og.Affine(matrix=…)"
            if None in (a, b, c, d)
            else f"og.Affine(matrix=[[{a:g}, {b:g}], [{c:g}, {d:g}]])"
        )
    shift = (
        ""
        if len(rows) == 2 or rows[0][2] in (0, None)
        else f", translate=({rows[0][2]:g}, {rows[1][2] or 0:g})"
    )
    return f"og.Affine(shear={b:g}{shift})"


@function(*_names("map_coordinates", "geometric_transform"))
def _coordinates(call: Call) -> Value:
    given = call.bind("input", "coordinates", "output", "order", "mode", "cval", "prefilter") if call.short == "map_coordinates" else call.bind("input", "mapping", "output_shape", "output", "order", "mode", "cval", "prefilter")  # fmt: skip
    value = _subject(call, given)
    order = _order(call, given, value, "og.Elastic(…)")
    _wrap(call, given)
    return _moved(value, order)


@function("scipy.ndimage.label", "scipy.ndimage.binary_fill_holes", "scipy.ndimage.binary_opening", "scipy.ndimage.binary_closing", "scipy.ndimage.binary_erosion", "scipy.ndimage.binary_dilation")  # fmt: skip
def _labels(call: Call) -> Value:
    given = call.bind("input", "structure")
    mask = Value("mask", colour=given["input"].colour)
    return Value("sequence", items=(mask, UNKNOWN)) if call.short == "label" else mask
