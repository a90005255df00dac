"""How other libraries decode an image file: Pillow, OpenCV, TensorFlow and torchvision, each imported when it is asked for."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from offgraph.core.errors import DecodeError, OffgraphError

__all__ = ["DECODERS", "LibraryDecoder", "decoder_of"]


class LibraryDecoder(NamedTuple):
    """A library's way from a file to pixels.

    Parameters
    ----------
    call : str
        How one writes it.
    version : str
        The version that is installed.
    turns : bool
        Whether it turns an image upright by its EXIF orientation.
    decode : callable
        ``decode(path, grey)`` gives uint8, (H, W, 3) or (H, W), or raises whatever the library raises.
    """

    call: str
    version: str
    turns: bool
    decode: Callable[[Path, bool], np.ndarray]

    def read(self, path: Path, *, grey: bool) -> np.ndarray:
        """Decode a file.

        Raises
        ------
        DecodeError
            Where the library does not; names file and library.
        """
        try:
            return np.ascontiguousarray(self.decode(path, grey))
        except Exception as error:  # each library has its own errors, TensorFlow one for each status
            cause = " ".join(str(error).split())[:200]
            raise DecodeError(f"{path}: {self.call} cannot read it: {cause}") from error


def _pillow() -> LibraryDecoder:
    pillow = importlib.import_module("PIL.Image")

    def decode(path: Path, grey: bool) -> np.ndarray:
        with pillow.open(path) as image:
            return np.asarray(image.convert("L" if grey else "RGB"))

    return LibraryDecoder(
        "PIL.Image.open(path).convert('RGB')", importlib.import_module("PIL").__version__, False, decode
    )


def _opencv() -> LibraryDecoder:
    cv2: Any = importlib.import_module("cv2")

    def decode(path: Path, grey: bool) -> np.ndarray:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError("imdecode returns None")
        return image if grey else image[..., ::-1]

    return LibraryDecoder("cv2.imread(path)[..., ::-1]", str(cv2.__version__), True, decode)


def _tf() -> LibraryDecoder:
    from offgraph.frameworks.quiet import load_tensorflow

    load_tensorflow()
    tf: Any = importlib.import_module("tensorflow")

    def decode(path: Path, grey: bool) -> np.ndarray:
        image = tf.io.decode_image(path.read_bytes(), channels=1 if grey else 3, expand_animations=False)
        array = image.numpy()
        return array[..., 0] if grey else array

    return LibraryDecoder("tf.io.decode_image(data, channels=3)", str(tf.__version__), False, decode)


def _torch() -> LibraryDecoder:
    _check_beside_tensorflow("torchvision")
    io: Any = importlib.import_module("torchvision.io")
    torchvision: Any = importlib.import_module("torchvision")

    def decode(path: Path, grey: bool) -> np.ndarray:
        mode = io.ImageReadMode.GRAY if grey else io.ImageReadMode.RGB
        planes = io.decode_image(str(path), mode=mode).numpy()
        return planes[0] if grey else planes.transpose(1, 2, 0)

    return LibraryDecoder(
        "torchvision.io.decode_image(path, mode='RGB')", str(torchvision.__version__), False, decode
    )


def _check_beside_tensorflow(module: str) -> None:
    """Refuse a library that would end this process, which holds TensorFlow: another process tries it first.

    Builds of TensorFlow and of PyTorch bring a compiler each, LLVM, which aborts where it is registered twice. Whether
    it is depends on the builds, and on which of them is loaded first.
    """
    loaded = module in sys.modules or "tensorflow" not in sys.modules
    if loaded or importlib.util.find_spec(module) is None:
        return
    tried = subprocess.run(
        [sys.executable, "-c", f"import tensorflow, {module}"], capture_output=True, check=False
    )
    if tried.returncode not in (0, 1):  # 1: an error, which the import here raises, too
        raise OffgraphError(
            f"{module} as it is installed ends a process that has loaded TensorFlow (status {tried.returncode}); import it "
            "first, or let Keras run on PyTorch: KERAS_BACKEND=torch"
        )


DECODERS: dict[str, tuple[Callable[[], LibraryDecoder], str, str]] = {
    "pillow": (_pillow, "Pillow", "pillow"),
    "opencv": (_opencv, "OpenCV", "opencv-python-headless"),
    "tf": (_tf, "TensorFlow", "tensorflow"),
    "torch": (_torch, "torchvision", "torchvision"),
}
"""Each library by the name that recipes have for it: what opens it, its name, and its distribution."""


def decoder_of(library: str) -> LibraryDecoder:
    """Return how a library decodes.

    Raises
    ------
    OffgraphError
        Where it cannot be imported; says what to install, or what else to do.

    Examples
    --------
    >>> decoder_of("pillow").call
    "PIL.Image.open(path).convert('RGB')"
    """
    make, title, distribution = DECODERS[library]
    try:
        return make()
    except ImportError as error:
        raise OffgraphError(f"{title} is not installed; run: pip install {distribution}") from error
