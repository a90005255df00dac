"""Small folders of real image files, made for one test each."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import offgraph as og
from offgraph.sources import Source

needs_pyarrow = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="needs pyarrow: pip install 'offgraph[arrow]'"
)
DATASETS = ["folder", "tfrecord", "webdataset", pytest.param("arrow", marks=needs_pyarrow)]
"""Formats of datasets, for a test of each."""
INSTALLED = ("folder", "tfrecord", "webdataset") + (("arrow",) if importlib.util.find_spec("pyarrow") else ())
CLASSES = ("ant", "bee", "cat")


def image_file(path: Path, array: np.ndarray) -> None:
    """Write an image, making the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    og.imwrite(path, array)


def recipe() -> og.Compose:
    """Steps that keep integers, some drawn; one that gives floats; and one that draws after it."""
    return og.Compose(
        [
            og.Resize((24, 20)),
            og.Augment(og.Rotate((-15, 15)), og.Flip("X", p=0.5)),
            og.Normalize(mean=0, std=1),
            og.Augment(og.Gamma((0.8, 1.2), range=1)),
        ]
    )


def class_folder(root: Path, each: int = 5, bad: bool = False) -> Path:
    """Images in three class folders, of several sizes, as PNG and JPEG; two spoiled files where asked for."""
    rng = np.random.default_rng(5)
    for label, name in enumerate(CLASSES):
        for number in range(each):
            height, width = 30 + 3 * (number % 5), 40 - 2 * (number % 5)
            rows, columns = np.mgrid[0:height, 0:width]
            image = np.stack([rows * 5, columns * 4, rows + columns + 40 * label], -1) % 256
            image = image + rng.integers(0, 20, image.shape)
            ending = "jpg" if number % 2 else "png"
            image_file(root / name / f"{number}.{ending}", np.clip(image, 0, 255).astype(np.uint8))
    if bad:
        whole = (root / "ant" / "0.png").read_bytes()
        (root / "ant" / "cut.png").write_bytes(whole[: len(whole) // 2])
        (root / "cat" / "text.jpg").write_text("this is no image")
    return root


def paired_folder(root: Path, count: int = 6) -> tuple[Path, Path]:
    """Images and 16-bit label masks of the same names."""
    for number in range(count):
        rows, columns = np.mgrid[0:32, 0:40]
        blob = ((rows - 16) ** 2 + (columns - 10 - 3 * number) ** 2) < 60
        image = np.where(blob[..., None], 200, 30).astype(np.uint8) + np.zeros(3, np.uint8)
        image_file(root / "images" / f"{number}.png", image)
        image_file(root / "masks" / f"{number}.png", np.where(blob, 1000 + number, 0).astype(np.uint16))
    return root / "images", root / "masks"


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def forge(out: Path, change: Callable[[dict[str, Any]], object], example: int = 0) -> None:
    """Change the record of an example, and the digests so that they fit."""
    path = out / "samples" / "00000.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    line = json.loads(lines[1 + example])
    change(line)
    lines[1 + example] = json.dumps(line).encode() + b"\n"
    rewrite(out, b"".join(lines))


def rewrite(out: Path, data: bytes) -> None:
    """Replace the records of the first shard, and the digest in the manifest."""
    (out / "samples" / "00000.jsonl").write_bytes(data)
    manifest = json.loads((out / "manifest.json").read_bytes())
    entry = manifest["shards"][0]["records"]
    entry["sha256"], entry["bytes"] = hashlib.sha256(data).hexdigest(), len(data)
    (out / "manifest.json").write_text(json.dumps(manifest))


def read_by_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every file be read by itself, in Python, where a test can see it."""
    monkeypatch.setattr(Source, "ordinary_rows", lambda *_, **__: None)
    monkeypatch.setattr(Source, "read_ordinary", lambda _, indices: [None] * len(indices))
