"""TensorFlow and Keras: reading, resizing, generators, and what models are given."""

from __future__ import annotations

from offgraph.inspection.scripts.calls import Arguments, Call, function, method
from offgraph.inspection.scripts.file_rules import exif_ignored, kind_of_path
from offgraph.inspection.scripts.values import UNKNOWN, Value, of_sequence

__all__ = []


@function("tensorflow.io.read_file", "tensorflow.read_file")
def _read_file(call: Call) -> Value:
    path = call.args[0] if call.args else UNKNOWN
    kind = kind_of_path(call, path)
    text = path.constant if isinstance(path.constant, str) else None
    return Value("path", constant=text, facts=frozenset({"mask"} if kind == "mask" else ()))


@function("tensorflow.image.decode_jpeg", "tensorflow.image.decode_image", "tensorflow.image.decode_png", "tensorflow.image.decode_bmp")  # fmt: skip
def _decode(call: Call) -> Value:
    given = call.bind("contents", "channels")
    path = given["contents"]
    kind = kind_of_path(call, path)
    if call.short in ("decode_jpeg", "decode_image"):
        exif_ignored(call, path, call.short, kind, "og.Loader(…).tensorflow()  # photographs upright")
    channels = given["channels"].number
    colour = None if not channels else channels != 1
    return Value(kind, colour=colour, dtype="uint8", scaled=False)


@function("tensorflow.image.resize", "tensorflow.image.resize_with_pad", "tensorflow.compat.v1.image.resize")
def _resize(call: Call) -> Value:
    given = call.bind("images", "size", "method")
    value = given["images"]
    numbers = [each.number for each in given["size"].items or ()]
    size = "224, 224" if len(numbers) != 2 or None in numbers else f"{numbers[0]:g}, {numbers[1]:g}"
    mend = call.step(f"og.Resize(({size}))")
    how = given["method"]
    nearest = "NEAREST" in how.name.upper() or str(how.constant).lower() == "nearest"
    known = given.absent("method") or how.name or how.constant
    if value.is_mask and known and not nearest:
        said = f"tf.image.resize of {given.text('images')} with {given.text('method') or 'bilinear, the default'}: between labels 0 and 2 lies 1, a label that nobody drew"
        call.found("mask-interpolated", said, f"{mend}  # masks by nearest neighbour")
    elif value.kind == "image" and not nearest and given.absent("antialias"):
        said = "tf.image.resize without antialias=True skips pixels where it shrinks: fine patterns turn into coarse ones"
        call.found("aliasing", said, f"{mend}  # antialiased where it shrinks", sure=False)
    return value.but(dtype=value.dtype if nearest else "float")


@function("tensorflow.image.convert_image_dtype")
def _converted(call: Call) -> Value:
    value = call.args[0] if call.args else UNKNOWN
    return value.but(dtype="float", scaled=True) if value.is_array else UNKNOWN


@function("tensorflow.random.*")
def _random(call: Call) -> Value:
    return _drawn(call)


@function(*(f"tensorflow.image.random_{name}" for name in ("flip_left_right", "flip_up_down", "brightness", "contrast", "hue", "saturation", "crop", "jpeg_quality")))  # fmt: skip
def _random_image(call: Call) -> Value:
    _drawn(call)
    return call.args[0] if call.args else UNKNOWN


def _drawn(call: Call) -> Value:
    if "seed" not in call.keywords:
        call.notes.random.append(("tensorflow", call.node))
    return Value(dtype="float", facts=frozenset({"random"}))


@function("tensorflow.image.rot90", "tensorflow.image.flip_left_right", "tensorflow.image.flip_up_down", "tensorflow.image.central_crop", "tensorflow.image.adjust_brightness", "tensorflow.image.adjust_contrast")  # fmt: skip
def _same(call: Call) -> Value:
    return call.args[0] if call.args else UNKNOWN


@function("tensorflow.image.rgb_to_grayscale")
def _grey(call: Call) -> Value:
    value = call.args[0] if call.args else UNKNOWN
    return value.with_facts("single") if value.is_array else UNKNOWN


@function("tensorflow_addons.image.rotate", "tensorflow.contrib.image.rotate")
def _addons_rotate(call: Call) -> Value:
    given = call.bind("images", "angles")
    angle = given["angles"]
    if angle.unit == "degrees" or (
        angle.number is not None and angle.unit != "radians" and abs(angle.number) > 6.3
    ):
        said = f"{call.short} takes radians, and gets {given.text('angles')}"
        call.found("degrees", said, f"og.Rotate({given.text('angles')})  # degrees everywhere")
    return given["images"]


@function("tensorflow.py_function", "tensorflow.numpy_function", "tensorflow.py_func")
def _python(call: Call) -> Value:
    said = (
        f"tf.{call.short} runs Python under its lock: one image at a time, whatever num_parallel_calls says"
    )
    call.found("py-function", said, "og.Loader(source, recipe, threads=…).tensorflow()")
    return UNKNOWN


@method("map")
def _map(call: Call) -> Value:
    if call.args and call.args[0].kind == "function" and call.owner.kind in ("dataset", "sequence", "flow"):
        result = call.runner.result_of(call.args[0], (of_sequence(call.owner),))
        return Value("dataset", element=result)
    return UNKNOWN


@method("shuffle")
def _shuffle(call: Call) -> Value:
    given = call.bind("buffer_size", "seed")
    if call.owner.kind == "dataset" and given.absent("seed"):
        call.notes.random.append(("tensorflow", call.node))
    return call.owner


@function("tensorflow.data.Dataset.from_tensor_slices", "tensorflow.data.Dataset.list_files")
def _dataset(call: Call) -> Value:
    value = call.args[0] if call.args else UNKNOWN
    element = of_sequence(value)
    if call.short == "list_files" and call.bind("pattern", "shuffle", "seed").absent("shuffle"):
        call.notes.random.append(("tensorflow", call.node))
    return Value("dataset", element=element)


# Keras --------------------------------------------------------------------------------------------------------------


@function("keras.preprocessing.image.load_img")
def _load_img(call: Call) -> Value:
    given = call.bind("path", "color_mode", "target_size", "interpolation")
    path = given["path"]
    kind = kind_of_path(call, path)
    exif_ignored(call, path, "load_img", kind)
    grey = given["color_mode"].constant == "grayscale" or given["grayscale"].constant is True
    how = given.constant("interpolation", "nearest")
    if "target_size" in given and kind == "mask" and how not in ("nearest", None):
        said = f"load_img of a mask with interpolation={how!r}: between labels 0 and 2 lies 1, a label that nobody drew"
        call.found("mask-interpolated", said, "recipe(image=image, mask=mask)  # masks by nearest neighbour")
    elif "target_size" in given and kind == "image" and how in ("nearest", "bilinear"):
        default = ", the default," if given.absent("interpolation") else ""
        if how == "nearest":
            size = given.text("target_size")
            said = f"load_img(target_size={size}) with interpolation={how!r}{default} skips pixels: fine patterns turn into coarse ones"
            call.found("aliasing", said, f"{call.step(f'og.Resize({size})')}  # antialiased where it shrinks")
    return Value(
        "pil",
        colour=not grey,
        dtype="uint8",
        scaled=False,
        facts=frozenset({"mask"} if kind == "mask" else ()),
    )


@function("keras.preprocessing.image.img_to_array")
def _to_array(call: Call) -> Value:
    value = call.args[0] if call.args else UNKNOWN
    if not value.is_array:
        return Value("image", dtype="float")
    return value.but(kind="mask" if value.is_mask else "image", dtype="float")


@function("keras.applications.*")
def _application(call: Call) -> Value:
    if call.short == "preprocess_input":
        value = call.args[0] if call.args else UNKNOWN
        if value.scaled:
            said = "preprocess_input takes values from 0 to 255, and gets values from 0 to 1"
            call.found("scaled-twice", said, 'og.Normalize("imagenet")  # once, in the recipe')
        return value.but(dtype="float", scaled=True) if value.is_array else UNKNOWN
    if call.short.startswith(("EfficientNet", "ConvNeXt", "MobileNetV3")):
        given = call.bind("include_top")
        if given.constant("include_preprocessing", True) is not False:
            call.notes.model_scales = f"{call.short} divides by 255 itself"
    return Value("model")


@function("keras.layers.Rescaling")
def _rescaling(call: Call) -> Value:
    given = call.bind("scale", "offset")
    scale = given["scale"].number
    if scale is not None and 0.003 < scale < 0.009:
        call.notes.model_scales = f"the layer Rescaling({given.text('scale')}) divides by 255"
    return UNKNOWN


@function("keras.layers.RandomRotation")
def _rotation_layer(call: Call) -> Value:
    given = call.bind("factor")
    numbers = [each.number for each in given["factor"].items or (given["factor"],)]
    if any(number is not None and abs(number) > 1 for number in numbers):
        said = f"RandomRotation({given.text('factor')}) takes a share of a full turn: 15 is 15 turns, 0.04 is 15 degrees"
        call.found("degrees", said, "og.Augment(og.Rotate((-15, 15)))  # degrees everywhere")
    return UNKNOWN


_DRAWS = ("rotation_range", "width_shift_range", "height_shift_range", "shear_range", "zoom_range", "horizontal_flip", "vertical_flip", "brightness_range", "channel_shift_range")  # fmt: skip


@function("keras.preprocessing.image.ImageDataGenerator", "offgraph.ImageDataGenerator")
def _datagen(call: Call) -> Value:
    given = call.bind()
    facts = {"augments"} if any((name in given and given[name].constant not in (0, False, None)) or given[name].items for name in _DRAWS) else set()  # fmt: skip
    for name in ("rotation_range", "shear_range"):
        angle = given[name]
        if angle.unit == "radians":
            said = f"{name} takes degrees, and gets {given.text(name)}, which is in radians"
            call.found("radians", said, "og.Rotate((-15, 15))  # degrees everywhere")
        elif angle.number is not None and 0 < abs(angle.number) < 1:
            said = f"{name}={given.text(name)} is in degrees: less than one, which no eye sees"
            call.found("radians", said, "og.Affine(shear=(-0.2, 0.2))  # rows per column" if name == "shear_range" else "og.Rotate((-15, 15))", sure=name != "shear_range")  # fmt: skip
    rescale = given["rescale"].number
    scaled = rescale is not None and 0.003 < rescale < 0.009
    function = given["preprocessing_function"]
    if function.kind == "function":
        result = call.runner.result_of(function, (Value("image", colour=True, dtype="float", scaled=False),))
        if scaled and result.scaled:
            said = f"rescale={given.text('rescale')} after {given.text('preprocessing_function')}, which gives values from 0 to 1 already"
            call.found("scaled-twice", said, "og.Rescale(1 / 255)  # once, in the recipe")
        scaled = scaled or bool(result.scaled)
    elif function.name.endswith("preprocess_input"):
        if scaled:
            said = f"rescale={given.text('rescale')} with preprocess_input, which scales itself"
            call.found("scaled-twice", said, 'og.Normalize("imagenet")  # once, in the recipe')
        scaled = True
    order = given.constant("interpolation_order", 1)
    if (
        call.expected == "mask"
        and "augments" in facts
        and order not in (0, None)
        and call.name.startswith("keras")
    ):
        said = "a generator for masks with interpolation_order=1, the default: between labels 0 and 2 lies 1, a label that nobody drew"
        call.found(
            "mask-interpolated",
            said,
            "og.Loader(source_with_masks, recipe)  # masks by nearest neighbour",
            sure=order == 1,
        )
    if call.expected == "mask":
        facts.add("masks")
    return Value("datagen", scaled=scaled, facts=frozenset(facts))


@method("flow_from_directory", "flow_from_dataframe", "flow")
def _flow(call: Call) -> Value:
    given = call.bind("source")
    value = call.owner
    if value.kind != "datagen":
        return UNKNOWN
    facts = set(value.facts)
    shuffles = given.constant("shuffle", True) is not False
    facts |= {"shuffled"} if shuffles else set()
    if (shuffles or "augments" in facts) and given.absent("seed"):
        call.notes.random.append(("numpy", call.node))
    if "augments" in facts and given["subset"].constant == "validation":
        said = "validation images are turned, shifted and flipped like those of training"
        call.found(
            "validation-augmented", said, "og.Loader(val, recipe.eval())  # without what Augment draws"
        )
    return Value("flow", scaled=value.scaled, constant=given["seed"].constant, facts=frozenset(facts))


@function("keras.utils.image_dataset_from_directory", "keras.preprocessing.image_dataset_from_directory")
def _from_directory(call: Call) -> Value:
    given = call.bind()
    if given.constant("shuffle", True) is not False and given.absent("seed"):
        call.notes.random.append(("tensorflow", call.node))
    said = "image_dataset_from_directory reads BMP, GIF, JPEG and PNG, and gives the pixels as they are stored, whatever their EXIF orientation says"
    call.found("exif", said, 'og.Loader("photos/", recipe).tensorflow()', sure=False)
    image = Value("image", colour=True, dtype="float", scaled=False, batch=True)
    facts = frozenset({"shuffled"}) if given.constant("shuffle", True) is not False else frozenset()
    return Value("dataset", element=Value("sequence", items=(image, UNKNOWN)), facts=facts)


@method("fit", "fit_generator", "train_on_batch")
def _fit(call: Call) -> Value:
    given = call.bind("x", "y")
    if call.owner.kind == "datagen":
        return UNKNOWN
    _gone(call)
    value = _given_to_model(call, given)
    call.notes.fitted.append((call.node, value))
    validation = given["validation_data"]
    if "augments" in validation.facts and validation.kind == "flow":
        said = f"validation_data={given.text('validation_data')} is augmented: its images are turned, shifted and flipped"
        call.found(
            "validation-augmented", said, "og.Loader(val, recipe.eval())  # without what Augment draws"
        )
    return UNKNOWN


@method("predict", "predict_generator", "evaluate_generator", "predict_on_batch", "predict_classes")
def _predict(call: Call) -> Value:
    given = call.bind("x")
    value = _given_to_model(call, given)
    if call.owner.kind in ("datagen", "sequence"):
        return UNKNOWN
    _gone(call)
    call.notes.predicted.append((call.node, value))
    if value.kind in ("flow", "dataset") and "shuffled" in value.facts and call.name.startswith("predict"):
        said = f"{given.text('x')} is shuffled: the predictions come in another order than its filenames and classes"
        call.found("predictions-shuffled", said, 'og.predict(model, "new/")  # each prediction with its file')
    if "augments" in value.facts and value.kind == "flow":
        said = f"{given.text('x')} is augmented: the model sees images that are turned, shifted and flipped"
        call.found(
            "validation-augmented", said, 'og.predict(model, "new/")  # with the recipe saved in the model'
        )
    kind = "mask" if call.expected == "mask" else "image"
    return Value(kind, dtype="float", scaled=None, batch=True, facts=frozenset({"predicted"}))


def _gone(call: Call) -> None:
    """Note a method that models of Keras 3 no longer have."""
    if call.name.endswith("_generator"):
        now = call.name.removesuffix("_generator")
        said = f"{call.name} is gone from models of Keras 3, whose {now} takes generators: AttributeError"
        call.found("gone", said, f"model.{now}(og.Loader(…).tensorflow())")
    elif call.name == "predict_classes":
        said = "predict_classes was removed in TensorFlow 2.6: AttributeError"
        call.found("gone", said, 'og.predict("model.keras", "new/")  # each prediction has its label')


def _given_to_model(call: Call, given: Arguments) -> Value:
    value = given["x"] if "x" in given else given["generator"]
    if value.kind == "sequence":
        value = of_sequence(value)
    image = value
    if value.kind == "dataset":
        element = of_sequence(value)
        image = element.items[0] if element.items else element
    if call.notes.model_scales and image.scaled and image.kind in ("image", "flow"):
        said = f"{given.text('x')} is divided by 255, and {call.notes.model_scales}"
        call.found("scaled-twice", said, "og.Rescale(1 / 255)  # once, in the recipe")
    return value if value.kind == "flow" else image.but(facts=image.facts | value.facts)
