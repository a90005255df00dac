"""Where a prediction's mask and image are written."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.core.errors import OffgraphError
from offgraph.core.file_names import split_suffix
from offgraph.core.tables import dumps
from offgraph.formats.encoding import encode_png, encode_tiff, write_bytes
from offgraph.formats.nifti_writing import encode_nifti

if TYPE_CHECKING:
    from offgraph.inference.prediction import Prediction

__all__ = ["write_drawing", "write_mask", "write_outlines", "write_raw"]

_LONGEST = 180  # bytes of a file name; with suffix and a temporary name it stays below 255


def write_mask(prediction: Prediction, folder: Path) -> Path:
    """Write a prediction's label mask below `folder`: 16-bit PNG, or TIFF for volumes and labels past 65535.

    The mask of a NIfTI becomes a NIfTI of the same name, on the same grid: voxel sizes, orientation and origin are its own.

    An image without pixels has a mask of its shape, which neither format holds: it is written as ``.npy``.
    """
    mask = prediction.mask
    if mask is None:
        raise OffgraphError(f"{prediction.item.name}: the prediction of a classification model has no mask")
    if not mask.size:
        buffer = io.BytesIO()
        np.save(buffer, mask, allow_pickle=False)
        return _write(folder, prediction, ".npy", buffer.getvalue())
    calibration, ending = prediction.calibration, split_suffix(prediction.item.name)[1]
    if calibration is not None and calibration.header is not None and ending.lower() in (".nii", ".nii.gz"):
        axes = prediction.axes.replace("C", "")
        data = encode_nifti(
            _in_few_bytes(mask), axes, header=calibration.header, packed=ending.lower() == ".nii.gz"
        )
        return _write(folder, prediction, "", data)
    if mask.ndim == 2 and mask.min(initial=0) >= 0 and mask.max(initial=0) < 1 << 16:
        return _write(folder, prediction, ".png", encode_png(mask.astype(np.uint16)))
    return _write(folder, prediction, ".tif", encode_tiff(mask, "ZYX" if mask.ndim == 3 else "YX"))


def _in_few_bytes(labels: np.ndarray) -> np.ndarray:
    """Labels in the smallest integers that hold them: readers of NIfTI do not all know those of 64 bits."""
    low, high = int(labels.min()), int(labels.max())
    dtypes = (np.uint8, np.uint16, np.int32, np.int64)
    return labels.astype(
        next(kind for kind in dtypes if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    )


def write_drawing(prediction: Prediction, folder: Path, rgb: np.ndarray | None = None) -> Path:
    """Write a drawn prediction below `folder`, as PNG; `rgb` where it is drawn already. Of no pixels it is a white one."""
    drawn = prediction.draw() if rgb is None else rgb
    if not drawn.size:
        drawn = np.full((1, 1, 3), 255, np.uint8)
    return _write(folder, prediction, ".drawn.png", encode_png(drawn))


def write_outlines(prediction: Prediction, folder: Path, collection: dict[str, Any]) -> Path:
    """Write the outlines of a prediction's objects below `folder`, as GeoJSON."""
    return _write(folder, prediction, ".geojson", dumps(collection).encode())


def write_raw(prediction: Prediction, folder: Path) -> Path:
    """Write all outputs of the model for an image below `folder`, as it gave them: an .npz with an array per output."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # and not np.savez, which takes no output called file
        for name, values in prediction.raw.items():
            array = io.BytesIO()
            np.save(array, np.ascontiguousarray(values), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), array.getvalue())
    return _write(folder, prediction, ".npz", buffer.getvalue())


def _write(folder: Path, prediction: Prediction, suffix: str, data: bytes) -> Path:
    """Write below `folder` under the item's own name, which never leads out of it and is never too long."""
    parts = [p for p in PurePosixPath(prediction.item.name).parts if p not in ("/", "..", ".")]
    path = folder.joinpath(*(_short(part) for part in parts))
    path = path.with_name(path.name + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data)
    return path


def _short(part: str) -> str:
    encoded = os.fsencode(part)
    if len(encoded) <= _LONGEST:
        return part
    return encoded[: _LONGEST - 13].decode("utf-8", "ignore") + "-" + hashlib.sha256(encoded).hexdigest()[:12]
