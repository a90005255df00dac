"""Stand-in until the native module lands."""

import numpy as np


def resize_reference(image, size, *, axes, kernel="triangle", antialias=True):
    out = image.astype(np.float64)
    for axis, length in zip(axes, size):
        n = out.shape[axis]
        ratio = n / length
        scale = max(ratio, 1.0) if antialias else 1.0
        centre = (np.arange(length) + 0.5) * ratio
        x = (np.arange(n)[None] + 0.5 - centre[:, None]) / scale
        w = np.clip(1 - abs(x), 0, None) if kernel == "triangle" else (abs(x) <= 0.5).astype(float)
        w /= w.sum(1, keepdims=True)
        out = np.moveaxis(np.tensordot(w, out, (1, axis)), 0, axis)
    if image.dtype.kind in "ui":
        return np.floor(out + 0.5).astype(image.dtype)
    return out.astype(image.dtype)


resize = resize_reference
