"""Reading, writing and resizing images with Pillow, OpenCV, scikit-image, imageio, Matplotlib and tifffile."""

from __future__ import annotations

import re
from typing import Literal

from offgraph.inspection.scripts.calls import Arguments, Call, function, method, source_of
from offgraph.inspection.scripts.values import UNKNOWN, Value, expected_of, of_sequence

__all__ = ["exif_ignored", "kind_of_path"]


def _ending(path: Value) -> str:
    return path.constant.lower().rpartition(".")[2] if isinstance(path.constant, str) else ""


def kind_of_path(call: Call, path: Value) -> Literal["image", "mask"]:
    """Whether a file holds an image or a mask, by the names around it."""
    texts = [path.constant if isinstance(path.constant, str) else ""]
    texts += [source_of(node) for node in call.node.args[:1]]
    named = any(expected_of(text) == "mask" for text in texts)
    target = re.search(r"(?:^|[^a-z])(target|label)s?(?:[^a-z]|$)", texts[-1].lower())
    return "mask" if named or target or call.expected == "mask" or "mask" in path.facts else "image"


def exif_ignored(call: Call, path: Value, what: str, kind: str, mend: str = "") -> None:
    """Note that a reader leaves the orientation of a photograph aside."""
    ending = _ending(path)
    if kind == "mask" or ending in ("png", "bmp", "gif", "npy", "ppm"):
        return
    said = f"{what} gives the pixels as they are stored: a photograph whose EXIF orientation says otherwise lies on its side"
    shown = source_of(call.node.args[0]) if call.node.args else "path"
    call.found("exif", said, mend or f"og.imread({shown})  # upright", sure=ending in ("jpg", "jpeg"))


@function("PIL.Image.open")
def _pillow(call: Call) -> Value:
    path = call.args[0] if call.args else UNKNOWN
    kind = kind_of_path(call, path)
    exif_ignored(call, path, "Image.open", kind)
    facts = {"mask"} if kind == "mask" else set()
    if _ending(path) in ("tif", "tiff"):
        facts.add("deep")
    return Value("pil", dtype="uint8" if "deep" not in facts else "", scaled=False, facts=frozenset(facts))


@function("PIL.ImageOps.exif_transpose")
def _upright(call: Call) -> Value:
    call.notes.seen.add("exif")
    return call.args[0] if call.args else UNKNOWN


@function("PIL.Image.fromarray")
def _from_array(call: Call) -> Value:
    value = call.args[0] if call.args else UNKNOWN
    return (
        value.but(kind="pil", facts=value.facts | ({"mask"} if value.kind == "mask" else set()))
        if value.is_array
        else Value("pil")
    )


@method("convert")
def _convert(call: Call) -> Value:
    mode = call.bind("mode")["mode"].constant
    value = call.owner
    if value.kind != "pil":
        return UNKNOWN
    if "deep" in value.facts and mode in ("RGB", "L"):
        said = f"convert({mode!r}) of a TIFF: 16-bit values are cut at 255 or keep 8 bits"
        call.found("depth", said, 'og.imread("cells.tif")  # 16 bits stay', sure=False)
    return value.but(colour={"RGB": True, "RGBA": True, "L": False, "1": False, "F": False, "I": False}.get(mode), dtype="uint8")  # fmt: skip


@function("cv2.imread")
def _opencv(call: Call) -> Value:
    given = call.bind("filename", "flags")
    path, flags = given["filename"], given["flags"]
    kind = kind_of_path(call, path)
    name = flags.name.rpartition(".")[2]
    kept = name in ("IMREAD_UNCHANGED", "IMREAD_ANYDEPTH") or flags.number == -1
    if not kept and _ending(path) in ("tif", "tiff"):
        said = f"cv2.imread({path.constant!r}) without IMREAD_UNCHANGED cuts 16-bit values to 8 bits"
        call.found("depth", said, f"og.imread({source_of(call.node.args[0])})  # 16 bits stay")
    if name == "IMREAD_UNCHANGED" or "IGNORE_ORIENTATION" in name or flags.number == -1:
        exif_ignored(call, path, f"cv2.imread with {name or '-1'}", kind)
    grey = "GRAYSCALE" in name or flags.number == 0
    if not grey and not kept and kind == "image":
        said = "cv2.imread gives blue, green, red; models and other libraries take red, green, blue"
        call.found(
            "bgr",
            said,
            f"og.imread({source_of(call.node.args[0]) if call.node.args else 'path'})  # red, green, blue",
        )
    colour = False if grey else None if kept else True
    return Value(kind, colour=colour, dtype="" if kept else "uint8", scaled=False, facts=frozenset() if grey else frozenset({"bgr"}))  # fmt: skip


@function("cv2.cvtColor")
def _convert_colour(call: Call) -> Value:
    given = call.bind("src", "code")
    value, code = given["src"], given["code"].name
    if code.endswith(("BGR2RGB", "RGB2BGR")):
        call.notes.seen.add("rgb")
    if code.endswith("2GRAY"):
        if "BGR" in code:
            call.notes.seen.add("rgb")
        return value.but(colour=False, facts=value.facts - {"bgr"})
    return value.but(colour=True, facts=value.facts - {"bgr"}) if value.is_array else UNKNOWN


@function("matplotlib.pyplot.imread")
def _matplotlib(call: Call) -> Value:
    path = call.args[0] if call.args else UNKNOWN
    kind = kind_of_path(call, path)
    exif_ignored(call, path, "plt.imread", kind)
    png = _ending(path) == "png"
    return Value(
        kind, dtype="float" if png else "uint8", scaled=True if png else False if _ending(path) else None
    )


@function("imageio.imread", "skimage.io.imread", "scipy.ndimage.imread", "scipy.misc.imread", "imread.imread")
def _imread(call: Call) -> Value:
    given = call.bind("uri", "flatten", "mode")
    path = given["uri"]
    kind = kind_of_path(call, path)
    if "misc" not in call.name and "ndimage" not in call.name:
        exif_ignored(call, path, ".".join(call.name.split(".")[-2:]), kind)
    grey = (
        any(given[name].constant is True for name in ("flatten", "as_gray", "as_grey"))
        or given["mode"].constant == "L"
    )
    deep = _ending(path) in ("tif", "tiff")
    facts = frozenset({"deep"} if deep else ())
    return Value(
        kind, colour=False if grey else None, dtype="" if deep else "uint8", scaled=False, facts=facts
    )


@function("offgraph.imread")
def _ours(call: Call) -> Value:
    given = call.bind("path", "color")
    colour = {"rgb": True, "grey": False, "labels": False}.get(given["color"].constant)
    path = given["path"]
    return Value(kind_of_path(call, path), colour=colour, dtype="" if _ending(path) in ("tif", "tiff", "npy") else "uint8", scaled=False)  # fmt: skip


@function("tifffile.imread")
def _tiff(call: Call) -> Value:
    kind = kind_of_path(call, call.args[0] if call.args else UNKNOWN)
    return Value(kind, scaled=False, facts=frozenset({"deep"}))


@method("get_fdata")
def _volume(call: Call) -> Value:
    """A volume of nibabel: of spatial axes alone, as floats."""
    return Value(call.expected or "image", colour=False, dtype="float")


@function("skimage.data.*", "scipy.datasets.*")
def _sample(call: Call) -> Value:
    colour = {"face": True, "ascent": False, "astronaut": True, "chelsea": True, "cat": True, "coffee": True, "camera": False, "coins": False, "rocket": True, "page": False, "moon": False}  # fmt: skip
    return (
        Value("image", colour=colour.get(call.short), dtype="uint8", scaled=False)
        if call.short in colour
        else UNKNOWN
    )


@function("skimage.color.rgb2gray", "skimage.util.img_as_float", "skimage.img_as_float")
def _as_float(call: Call) -> Value:
    value = call.args[0] if call.args and call.args[0].is_array else Value("image")
    return value.but(dtype="float", scaled=True, colour=False if call.short == "rgb2gray" else value.colour)


@function("skimage.util.img_as_ubyte", "skimage.img_as_ubyte")
def _as_bytes(call: Call) -> Value:
    value = call.args[0] if call.args and call.args[0].is_array else Value("image")
    return value.but(dtype="uint8", scaled=False, beyond="")


# Listing files ------------------------------------------------------------------------------------------------------


@function("os.listdir", "glob.glob", "glob.iglob", "tensorflow.io.gfile.glob", "tensorflow.io.gfile.listdir")
def _listing(call: Call) -> Value:
    text = call.args[0].constant if call.args and isinstance(call.args[0].constant, str) else ""
    masks = expected_of(text) == "mask" or call.expected == "mask"
    facts = frozenset({"mask"} if masks else ())
    call.notes.listings.append((call.node, masks))
    ending = re.search(r"\*(\.\w+)$", text)
    each = Value("path", constant=ending.group() if ending else None, facts=facts)
    return Value("sequence", element=each, facts=facts | {"unordered"})


@method("glob", "rglob", "iterdir")
def _listing_of_path(call: Call) -> Value:
    return _listing(call)


@function("os.path.join", "pathlib.Path")
def _joined(call: Call) -> Value:
    texts = [each.constant for each in call.args if isinstance(each.constant, str)]
    facts = frozenset().union(*(each.facts & {"mask"} for each in call.args))
    return Value("path", constant="/".join(texts) or None, facts=facts)


# Resizing and turning -----------------------------------------------------------------------------------------------


def _size_order(call: Call, size: Value, text: str, what: str, mend: str) -> None:
    units = [each.unit for each in size.items or ()]
    if units == ["height", "width"]:
        said = f"{what} takes (width, height), and gets {text}: height and width are exchanged"
        call.found("size-order", said, f"{mend}  # sizes are (height, width)")


def _interpolated(call: Call, how: str, subject: str, mend: str) -> None:
    said = f"{call.short} of {subject} {how}: between labels 0 and 2 lies 1, a label that nobody drew"
    call.found(
        "mask-interpolated",
        said,
        f"{mend}  # recipe(image=image, mask={subject}): masks by nearest neighbour",
    )


def _sized(items: Value, swapped: bool) -> str:
    numbers = [each.number for each in items.items or ()]
    if len(numbers) != 2 or None in numbers:
        return "og.Resize((224, 224))"
    first, second = (numbers[1], numbers[0]) if swapped else numbers
    return f"og.Resize(({first:g}, {second:g}))"


@function("cv2.resize")
def _opencv_resize(call: Call) -> Value:
    given = call.bind("src", "dsize", "dst", "fx", "fy", "interpolation")
    value, how = given["src"], given["interpolation"].name.rpartition(".")[2]
    mend = call.step(_sized(given["dsize"], swapped=True))
    _size_order(call, given["dsize"], given.text("dsize"), "cv2.resize", mend)
    if value.is_mask and (
        given.absent("interpolation")
        or how in ("INTER_LINEAR", "INTER_CUBIC", "INTER_AREA", "INTER_LANCZOS4")
    ):
        _interpolated(call, f"with {how or 'INTER_LINEAR, the default'}", given.text("src"), mend)
    elif (
        value.kind == "image"
        and "blurred" not in value.facts
        and (given.absent("interpolation") or how in ("INTER_LINEAR", "INTER_CUBIC"))
    ):
        said = f"cv2.resize with {how or 'INTER_LINEAR, the default'} skips pixels where it shrinks: fine patterns turn into coarse ones"
        call.found("aliasing", said, f"{mend}  # antialiased where it shrinks", sure=False)
    return value


@method("resize", "thumbnail")
def _resize_method(call: Call) -> Value:
    value = call.owner
    if value.kind != "pil":
        return UNKNOWN
    given = call.bind("size", "resample")
    mend = call.step(_sized(given["size"], swapped=True))
    _size_order(call, given["size"], given.text("size"), "Pillow's resize", mend)
    if value.is_mask and not _is_nearest(given, "resample", 0):
        how = given.text("resample") or "Pillow's default, bicubic"
        _interpolated(call, f"with {how}", source_of(call.node.func).rpartition(".")[0], mend)
    return value


def _is_nearest(given: Arguments, name: str, number: int) -> bool:
    value = given[name]
    named = value.name.upper().endswith("NEAREST") or str(value.constant).lower() == "nearest"
    return named or value.number == number or (not given.absent(name) and value == UNKNOWN)


@method("rotate")
def _rotate_method(call: Call) -> Value:
    value = call.owner
    if value.kind != "pil":
        return UNKNOWN
    given = call.bind("angle", "resample", "expand")
    _angle(call, given, "angle", "Pillow's rotate")
    if value.is_mask and "resample" in given and not _is_nearest(given, "resample", 0):
        _interpolated(
            call,
            f"with {given.text('resample')}",
            source_of(call.node.func).rpartition(".")[0],
            "og.Rotate(…)",
        )
    return value


def _angle(call: Call, given: Arguments, name: str, what: str) -> None:
    if given[name].unit == "radians":
        said = f"{what} takes degrees, and gets {given.text(name)}, which is in radians"
        call.found("radians", said, "og.Rotate(…)  # degrees everywhere")


@function("cv2.getRotationMatrix2D")
def _rotation_matrix(call: Call) -> Value:
    _angle(call, call.bind("center", "angle", "scale"), "angle", "cv2.getRotationMatrix2D")
    return UNKNOWN


@function("cv2.warpAffine", "cv2.warpPerspective")
def _warp(call: Call) -> Value:
    given = call.bind("src", "M", "dsize", "dst", "flags")
    value = given["src"]
    _size_order(call, given["dsize"], given.text("dsize"), f"cv2.{call.short}", "og.Affine(…)")
    if (
        value.is_mask
        and not given["flags"].name.endswith("INTER_NEAREST")
        and (given.absent("flags") or given["flags"].name)
    ):
        _interpolated(
            call,
            f"with {given.text('flags') or 'INTER_LINEAR, the default'}",
            given.text("src"),
            "og.Affine(…)",
        )
    return value


@function(
    "skimage.transform.resize",
    "skimage.transform.rescale",
    "skimage.transform.rotate",
    "skimage.transform.warp",
)
def _skimage(call: Call) -> Value:
    given = call.bind(
        "image",
        {"resize": "output_shape", "rescale": "scale", "rotate": "angle"}.get(call.short, "inverse_map"),
    )
    value = given["image"]
    if call.short == "rotate":
        _angle(call, given, "angle", "skimage.transform.rotate")
        mend = call.step(f"og.Rotate({given.text('angle')})")
    elif call.short == "resize":
        spatial = given["output_shape"]
        items = spatial.items[:2] if spatial.items else None
        mend = call.step(_sized(spatial.but(items=items), swapped=False))
    else:
        mend = "og.Resize(scale=…)" if call.short == "rescale" else "og.Affine(…)"
    if value.is_mask and given.constant("order", 1) not in (0, None):
        _interpolated(call, f"with order {given.constant('order', 1)}", given.text("image"), mend)
    if call.short == "rescale" and value.colour and given.absent("channel_axis"):
        call.found(
            "channels-zoomed",
            "rescale without channel_axis scales the channels too",
            f"{mend}  # spatial axes only",
        )
    kept = given["preserve_range"].constant is True or value.dtype == "float"
    return value.but(dtype="float", scaled=value.scaled if kept else True)


@function("cv2.GaussianBlur", "cv2.blur", "cv2.medianBlur", "cv2.bilateralFilter", "skimage.filters.gaussian")
def _smoothed(call: Call) -> Value:
    given = call.bind("image", "size")
    value = given["image"]
    if call.name == "skimage.filters.gaussian":
        if value.colour and given.absent("channel_axis"):
            call.found(
                "channels-filtered",
                "gaussian without channel_axis smooths across the channels",
                "og.GaussianFilter(…)",
            )
        return value.but(dtype="float", scaled=True).with_facts("blurred")
    if value.is_mask and call.short in ("GaussianBlur", "blur"):
        said = f"{call.short} of {given.text('image')}: labels 0 and 2 average to 1, a label that nobody drew"
        call.found("mask-filtered", said, "recipe(image=image, mask=mask)  # filters leave masks as they are")
    return value.with_facts("blurred") if value.is_array else value


# Writing ------------------------------------------------------------------------------------------------------------


@function("cv2.imwrite", "matplotlib.pyplot.imsave", "skimage.io.imsave", "imageio.imwrite", "imageio.imsave")
def _write(call: Call) -> Value:
    path, value = call.args[0] if call.args else UNKNOWN, call.args[1] if len(call.args) > 1 else UNKNOWN
    _written(call, path, value)
    return UNKNOWN


@method("save")
def _save(call: Call) -> Value:
    if call.owner.kind == "pil":
        _written(call, call.args[0] if call.args else UNKNOWN, call.owner)
    return UNKNOWN


def _written(call: Call, path: Value, value: Value) -> None:
    mask = value.is_mask or kind_of_path(call, path) == "mask"
    if mask and _ending(path) in ("jpg", "jpeg"):
        said = f"{path.constant!r}: JPEG changes values, and with them labels"
        call.found("mask-lossy", said, 'og.imwrite("mask.png", mask)')
    if mask and call.name == "matplotlib.pyplot.imsave":
        said = "plt.imsave stretches values and paints them by a colour map: labels are lost"
        call.found("mask-lossy", said, 'og.imwrite("mask.png", mask)')


@method("items", "values", "keys", "split", "strip", "replace", "lower")
def _of_text(call: Call) -> Value:
    return of_sequence(call.owner) if call.name in ("items", "values") else UNKNOWN
