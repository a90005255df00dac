"""A plan in words."""

from __future__ import annotations

import numpy as np
import pytest

import offgraph as og
from offgraph.core.specs import ArraySpec

SPEC = ArraySpec((40, 50, 3), "uint8", "YXC")


def usual() -> og.Compose:
    return og.Compose(
        [
            og.Resize((32, 24)),
            og.CenterCrop((30, 20)),
            og.Augment(og.Rotate((-15, 15)), og.Flip(), og.Rotate(3, mode="nearest"), og.Flip("Y", p=0)),
            og.MedianFilter(3),
            og.Affine(rotate=5, order=3),
            og.Normalize("imagenet"),
        ]
    )


def test_every_step_and_reason_is_told():
    text = usual().explain(SPEC, og.Key(3))
    assert text.startswith(
        "image: 40 x 50 x 3 YXC uint8, drawn for Key(seed=3, epoch=0, index=0)\n1. resize to 32 x 24"
    )
    for part in (
        "of it only 30 x 20, which the crop keeps  [steps 1 Resize, 2 CenterCrop]",
        "2. resample through one affine map: order 1, mode 'constant'  [steps 3 Rotate, 4 Flip]",
        "begins anew: mode='nearest' after mode='constant'",
        "filter: MedianFilter",
        "window has up to 9 samples",
        "begins anew: MedianFilter mixes neighbours in between",
        "makes 1,800 spline coefficients, writes 1,800 values of 16 taps each",
        "change each value: Normalize",
        "looked up in a table of 256",
        "gives 30 x 20 x 3 YXC float32",
        "not applied: step 6 Flip (p=0)",
    ):
        assert part in text, part


def test_the_chain_is_told_step_by_step():
    text = og.Compose(usual().items, fuse=False).explain(SPEC)
    assert "fuse=False: each step runs alone" in text and "[steps" not in text
    assert "copy whole pixels (cropped)" in text and "copy whole pixels (mirrored)" in text


def test_python_code_of_a_step_is_told(monkeypatch: pytest.MonkeyPatch):
    assert "splits the native call" not in usual().explain(SPEC)
    monkeypatch.setattr(og.MedianFilter, "apply", lambda self, image, params: image)
    text = usual().explain(SPEC)
    assert "run MedianFilter's own Python code" in text
    assert "called from Python by itself: it splits the native call of the others" in text


def test_maps_are_told_in_words():
    recipe = og.Compose([og.Rotate(10), og.Perspective(0.1), og.LensDistortion(0.1)])
    text = recipe.explain(og.ArraySpec((40, 50, 3), np.uint8, "YXC"), og.Key(3))
    assert (
        "resample through several maps, composed: order 1, mode 'constant', clipped by the 2 images in bet"
        in text
    )
    assert "gives 40 x 50 x 3 YXC uint8" in text
    assert "one radial map" in og.Compose([og.LensDistortion(0.1)]).explain(SPEC)


def test_what_cannot_be_applied_is_refused():
    with pytest.raises(og.StepError, match="step 1, Flip: axis='Z'"):
        og.Compose([og.Flip("Z")]).explain(SPEC)
    assert "no operation: the image is copied" in og.Compose([]).explain(SPEC)


def test_all_kinds_of_copies_and_volumes():
    volume = ArraySpec((4, 20, 20), "float32", "ZYX")
    text = og.Compose([og.Pad(1), og.Rotate(30, order=3, plane="ZX"), og.Zoom(2)]).explain(volume)
    assert "begins anew: it resamples other axes" in text and "splits the native call" not in text
    assert "padded" in text and "16 taps each" in text and "zoom axis by axis: order 3" in text
    assert "computed" in og.Compose([og.Rescale(2)]).explain(volume)
