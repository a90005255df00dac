"""Full names of functions, whatever a script calls them, and those that are gone."""

from __future__ import annotations

__all__ = ["canonical", "gone"]

_SAME = (
    ("offgraph.ndimage", "scipy.ndimage"),
    ("scipy.ndimage.filters", "scipy.ndimage"),
    ("scipy.ndimage.interpolation", "scipy.ndimage"),
    ("scipy.ndimage.measurements", "scipy.ndimage"),
    ("scipy.ndimage.morphology", "scipy.ndimage"),
    ("scipy.ndimage.fourier", "scipy.ndimage"),
    ("tensorflow.python.keras", "keras"),
    ("tensorflow.keras", "keras"),
    ("tf_keras", "keras"),
    ("tensorflow.compat.v1", "tensorflow"),
    ("tensorflow.compat.v2", "tensorflow"),
    ("keras.utils.load_img", "keras.preprocessing.image.load_img"),
    ("keras.utils.img_to_array", "keras.preprocessing.image.img_to_array"),
    ("keras.utils.array_to_img", "keras.preprocessing.image.array_to_img"),
    ("keras.layers.experimental.preprocessing", "keras.layers"),
    ("imageio.v2", "imageio"),
    ("imageio.v3", "imageio"),
    ("matplotlib.image.imread", "matplotlib.pyplot.imread"),
    ("tensorflow.io.decode_", "tensorflow.image.decode_"),
    ("tensorflow.math.", "numpy."),
)


def canonical(name: str) -> str:
    """Return the one name that the rules know a function by."""
    for _ in range(3):  # an alias of an alias: tensorflow.keras.utils.load_img
        for old, new in _SAME:
            if name == old or name.startswith(old if old.endswith(("_", ".")) else old + "."):
                name = new + name[len(old) :]
                break
        else:
            return name
    return name


_MISC = {
    "imread": ('og.imread("photo.jpg")', "removed from SciPy in version 1.2"),
    "imresize": (
        "og.Resize((224, 224))",
        "removed from SciPy in version 1.3; it also stretched values to 0 to 255",
    ),
    "imrotate": ("og.Rotate(45)", "removed from SciPy in version 1.3"),
    "imsave": ('og.imwrite("out.png", image)', "removed from SciPy in version 1.3"),
    "toimage": ("og.show(image)", "removed from SciPy in version 1.3; it also stretched values to 0 to 255"),
    "imshow": ("og.show(image)", "removed from SciPy in version 1.3"),
    "imfilter": ("og.UnsharpMask()", "removed from SciPy in version 1.3"),
    "bytescale": ("og.PercentileNormalize(0, 100)", "removed from SciPy in version 1.3"),
    "fromimage": ('og.imread("photo.jpg")', "removed from SciPy in version 1.3"),
    "face": ("from scipy.datasets import face", "moved to scipy.datasets"),
    "ascent": ("from scipy.datasets import ascent", "moved to scipy.datasets"),
}
_MOVED = ("filters", "interpolation", "measurements", "morphology", "fourier")


def gone(name: str) -> tuple[str, str] | None:
    """Return what became of a name that is gone, and what to write instead; None for one that is still there."""
    if name == "scipy.ndimage.imread":
        return "removed from SciPy in version 1.2: AttributeError", 'image = og.imread("photo.jpg")'
    head, _, last = name.rpartition(".")
    if head == "scipy.misc" and last in _MISC:
        mend, what = _MISC[last]
        return f"{what}: AttributeError", mend
    if name.startswith("scipy.ndimage.") and name.split(".")[2] in _MOVED:
        return (
            f"the namespace scipy.ndimage.{name.split('.')[2]} is deprecated, and will be removed in SciPy 2",
            "from offgraph import ndimage as ndi  # scipy.ndimage's names and bytes",
        )
    if name.startswith("tensorflow.contrib"):
        return (
            "tf.contrib was removed in TensorFlow 2: AttributeError",
            "og.Compose([og.Rotate((-15, 15)), …])",
        )
    if name.startswith("tensorflow_addons"):
        return (
            "TensorFlow Addons ended in May 2024, and does not import with Keras 3",
            "og.Compose([og.Rotate((-15, 15)), …])",
        )
    if name == "keras.preprocessing.image.ImageDataGenerator":
        return (
            "ImageDataGenerator is deprecated, and no longer among the names of Keras 3",
            "og.ImageDataGenerator(…)  # the same arguments; or og.from_keras(…).recipe with og.Loader",
        )
    return None
