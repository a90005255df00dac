"""What recipes gave before plans were drawn, lowered and run: same draws, same bytes, same names.

`golden.json` was written when the runner still drew and applied one step after another. A recipe of that time has no
`fuse`, so it is the chain of its steps.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import offgraph as og

FILE = Path(__file__).with_name("golden.json")
GOLDEN: list[dict[str, Any]] = json.loads(FILE.read_text()) if FILE.exists() else []
KEYS = [og.Key(seed=7, epoch=3, index=1234), og.Key(seed=1, epoch=0, index=5)]
AUGMENTED = {
    "Augment": [
        {"Rotate": {"angle": [-30, 30], "p": 0.7}},
        {"Affine": {"scale": [0.8, 1.2], "shear": [-0.2, 0.2], "translate": [[-3, 3], [-2, 2]]}},
        {"Flip": {"axis": "X", "p": 0.5}},
        {"RandomCrop": {"size": [16, 20]}},
    ]
}

PLANE: list[list[Any]] = [
    [],
    [{"Flip": {"axis": "X"}}],
    [{"Flip": {"axis": "Y", "p": 0.5}}],
    [{"CenterCrop": {"size": [10, 13]}}],
    [{"CenterCrop": {"size": [40, 13], "pad": True, "cval": 9, "mask_cval": 3}}],
    [{"CenterCrop": {"size": [40, 50], "pad": True, "mode": "grid-wrap"}}],
    [{"RandomCrop": {"size": ["50%", 9]}}],
    [{"RandomCrop": {"size": [30, 9], "pad": True, "mode": "reflect"}}],
    [{"Pad": {"padding": [[1, 2], 3], "cval": 7, "mask_cval": 2}}],
    [{"Pad": {"padding": 5, "mode": "mirror"}}, {"Pad": {"padding": "10%", "mode": "nearest"}}],
    [{"Rotate": {"angle": 33.5}}],
    [{"Rotate": {"angle": [-90, 90], "order": 0, "mode": "nearest"}}],
    [{"Rotate": {"angle": 20, "order": 3, "mode": "reflect", "reshape": True}}],
    [{"Rotate": {"angle": 90, "order": 2, "cval": 5, "mask_cval": 1}}],
    [{"Rotate": {"angle": 0, "order": 3}}],
    [{"Affine": {"scale": [0.7, 1.4], "rotate": [-20, 20], "mode": "mirror"}}],
    [{"Affine": {"shear": {"Y": 0.2, "X": -0.1}, "translate": ["10%", "-5%"], "order": 3}}],
    [{"Affine": {"matrix": [[0.9, 0.1, 2], [0.05, 1.1, -1]], "anchor": "origin", "mode": "grid-wrap"}}],
    [{"Affine": {"translate": [1.5, -2], "order": 5, "mode": "wrap"}}],
    [{"Zoom": {"factor": 1.7}}],
    [{"Zoom": {"factor": [0.5, 2], "order": 1, "grid": "pixels", "mode": "nearest"}}],
    [{"Zoom": {"factor": {"Y": 2, "X": 0.6}, "order": 3, "mode": "grid-mirror", "grid": "pixels"}}],
    [{"Zoom": {"factor": 2, "order": 1, "grid": "pixels", "mode": "constant", "cval": 3, "mask_cval": 4}}],
    [{"Zoom": {"factor": 1.01, "order": 3}}, {"Zoom": {"factor": 1}}],
    [{"Resize": {"size": [11, 40]}}],
    [{"Resize": {"size": [17, None], "kernel": "lanczos3"}}],
    [{"Resize": {"scale": [0.4, 2], "kernel": "cubic"}}],
    [{"Resize": {"size": 12, "kernel": "box", "antialias": False}}],
    [{"MedianFilter": {"size": 3}}, {"Rotate": {"angle": 10}}],
    [{"Resize": {"size": [20, 24]}}, AUGMENTED, {"Normalize": {"mean": 0.4, "std": 0.2, "range": 255}}],
    [AUGMENTED, {"Resize": {"size": 14}}, {"Rescale": {"scale": 0.25, "offset": -1}}],
    [{"Rotate": {"angle": 45}}, {"Rotate": {"angle": -45}}, {"Flip": {}}, {"Rotate": {"angle": 180}}],
    [
        {"Pad": {"padding": 4}},
        {"RandomCrop": {"size": [20, 20], "id": "window"}},
        {"Affine": {"rotate": [-9, 9], "order": 0}},
        {"MedianFilter": {"size": {"X": 3}}},
        {"Flip": {"axis": "Y"}},
    ],
]
VOLUME: list[list[Any]] = [
    [{"Flip": {"axis": "Z"}}],
    [{"Rotate": {"angle": [-30, 30], "order": 3}}],
    [{"Rotate": {"angle": 15, "plane": "ZX", "mode": "nearest", "reshape": True}}],
    [{"Affine": {"scale": {"Z": 1.2, "YX": 0.9}, "rotate": 10, "order": 1}}],
    [{"Zoom": {"factor": {"Z": 2, "YX": 0.7}, "order": 2}}],
    [{"Resize": {"size": [5, 12, 7]}}],
    [{"RandomCrop": {"size": [4, 6, 20], "pad": True}}, {"Pad": {"padding": 1, "mode": "reflect"}}],
]
BYTES: list[list[Any]] = [
    [{"Gamma": {"gamma": [0.5, 2]}}, AUGMENTED],
    [{"GaussianFilter": {"sigma": [0.5, 2]}}, {"Flip": {}}],
    [{"Rotate": {"angle": [-5, 5]}}, {"Normalize": {"stats": "imagenet"}}],
]


def images(axes: str) -> list[tuple[og.Image, og.Mask]]:
    """The same pixels on every machine: no generator of random numbers has a part in them."""
    size = {"YX": (23, 31), "ZYX": (9, 10, 12)}[axes]
    found = []
    for dtype, channels in (("uint8", 3), ("uint16", 0), ("float32", 1)):
        shape = (*size, channels) if channels else size
        count = np.arange(np.prod(shape), dtype=np.uint64)
        values = (count * 2654435761 % 4294967291 >> 7) % (256 if dtype == "uint8" else 60000)
        array = values.reshape(shape).astype(dtype)
        labels = (np.arange(np.prod(size)) * 40503 % 65521 % 7).reshape(size)
        wide = "uint64" if dtype == "float32" else "uint8"
        found.append((og.Image(array, axes + "C" * bool(channels)), og.Mask(labels.astype(wide), axes)))
    return found


def hashed(array: np.ndarray) -> str:
    text = f"{array.dtype.str} {array.shape} ".encode() + np.ascontiguousarray(array).tobytes()
    return hashlib.sha256(text).hexdigest()[:20]


def measured(steps: list[Any], axes: str, *, only: str = "") -> dict[str, Any]:
    recipe = og.Compose.from_dict({"offgraph": 1, "steps": steps})
    runs = []
    for image, mask in images(axes):
        if only and image.array.dtype != only:
            continue
        for key in KEYS:
            boxes = [[3] * len(axes) + [7] * len(axes)] if '"BBox' in json.dumps(steps) else None
            out = recipe(image=image, mask=mask, boxes=boxes, key=key)
            assert out.mask is not None
            back = out.frame.undo(mask=out.mask)
            drawn = [entry["params"] for entry in out.record["steps"]]
            runs.append([hashed(out.image), hashed(out.mask), hashed(back), drawn])
    return {
        "steps": steps,
        "axes": axes,
        "only": only,
        "fingerprint": recipe.fingerprint,
        "digest": recipe.digest,
        "runs": runs,
    }


@pytest.mark.filterwarnings("ignore::offgraph.core.errors.OffgraphWarning")
@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: json.dumps(case["steps"])[:80])
def test_a_recipe_without_fuse_is_what_it_was(case: dict[str, Any]):
    now = measured(case["steps"], case["axes"], only=case["only"])
    assert json.loads(json.dumps(now)) == case


def test_there_are_cases_of_every_step():
    pinned = FILE.read_text() + FILE.with_name("golden_values.json").read_text()
    named = {name for name in og.STEPS if f'"{name}"' in pinned}
    pixels = {name for name, cls in og.STEPS.items() if cls.kind != "result"}
    assert pixels - named <= {
        "CropToAspect",
        "D4",
        "Elastic",
        "GridDistortion",
        "Lambda",
        "LensDistortion",
        "LetterBox",
        "PadTo",
        "Ndimage",
        "Perspective",
        "RandAugment",
        "RandomResizedCrop",
        "ResizeLonger",
        "ResizeShorter",
        "Rotate90",
        "Scale",
        "Shift",
        "ShiftScaleRotate",
        "Orientation",
        "Spacing",
        "ThinPlateSpline",
        "Transpose",
        "TrivialAugment",
        "SomeOf",
        "Sequence",
        "RandomOrder",
        "OneOf",
        "Identity",
    }  # came later


def write() -> None:
    """Write the file anew: only by a version whose bytes are known to be right."""
    cases = [
        *(measured(steps, "YX") for steps in PLANE),
        *(measured(steps, "ZYX") for steps in VOLUME),
        *(measured(steps, "YX", only="uint8") for steps in BYTES),
    ]
    FILE.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    write()
