"""A framework that is not installed is named, with how to get it."""

from __future__ import annotations

import doctest
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.made import class_folder

import offgraph as og
from offgraph.frameworks import missing, pydataset, throughput

FEEDS: dict[str, tuple[str, str, str, Callable[[og.Loader], object]]] = {
    "tensorflow": ("tensorflow", "TensorFlow", "tensorflow", lambda loader: loader.tensorflow()),
    "keras": ("keras.utils", "Keras", "tensorflow", lambda loader: loader.keras()),
    "callback": ("keras.callbacks", "Keras", "tensorflow", lambda loader: loader.keras_callback()),
    "torch": ("torch", "PyTorch", "torch", lambda loader: loader.torch()),
    "jax": ("jax", "JAX", "jax", lambda loader: loader.jax()),
    "grain": ("grain", "Grain", "grain", lambda loader: loader.grain()),
    "grain's transform": ("grain", "Grain", "grain", lambda loader: og.grain_transform([og.Flip("X")])),
}


@pytest.mark.parametrize("feed", FEEDS)
def test_it_is_named_with_the_extra_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, feed: str
) -> None:
    module, name, extra, call = FEEDS[feed]
    loader = og.Loader(class_folder(tmp_path / "in"), batch_size=2)
    monkeypatch.setitem(sys.modules, module, None)
    for kind in (pydataset._kind, throughput._kind):
        kind.cache_clear()
    instead = "" if feed == "callback" else ", or iterate over the loader itself"
    with pytest.raises(og.OffgraphError) as caught:
        call(loader)
    assert str(caught.value) == f"{name} is not installed; run: pip install 'offgraph[{extra}]'{instead}"
    assert isinstance(caught.value.__cause__, ImportError)


def test_examples_run() -> None:
    assert doctest.testmod(missing) == (0, 1)


def test_an_onnx_file_says_what_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"")
    says = "model.onnx: an ONNX file is run by onnxruntime, which is not installed; run: pip install 'offgraph[onnx]'"
    with pytest.raises(og.OffgraphError, match=re.escape(says)):
        og.Predictor(path, recipe=[])
