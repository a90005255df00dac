"""`offgraph report`, as typed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.support.models import bright, coins, mask_model, og_keras, shades
from tests.support.pages import chromium, open_page, self_contained

import offgraph as og
from offgraph.apps import cli


def run(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return int(stop.value.code or 0), printed.out, printed.err


def test_classes_of_a_saved_model(bright, shades, tmp_path, capsys, chromium):
    page = tmp_path / "errors.html"
    status, out, _ = run(capsys, "report", bright, shades, "-o", page, "--occlusion", 1)
    assert status == 0 and "correct: 80.00%" in out and "set aside 1 file" in out and str(page) in out
    assert "is dark; dark/wrong.png" in self_contained(page).words
    open_page(chromium, page, tmp_path / "page.png")
    status, out, _ = run(capsys, "report", bright, shades, "-o", page, "--occlusion", 0, "--json", "--strict")
    assert status == 3 and json.loads(out) == json.loads(page.with_suffix(".json").read_text())
    assert json.loads(out)["classes"]["accuracy"] == 0.8


def test_objects_with_other_steps_beside(coins, tmp_path, capsys):
    model = tmp_path / "coins.keras"
    steps = [og.Threshold(0.5), og.FillHoles(), og.RemoveSmall(400), og.Label()]
    og_keras.save(mask_model(), og.Compose([og.Rescale(1 / 255)]), model, postprocess=steps)
    (predicted,) = og.predict(model, coins.parent)
    (tmp_path / "true").mkdir()
    og.imwrite(tmp_path / "true" / "coins.png", predicted.mask.astype(np.uint16))
    (tmp_path / "plain.yaml").write_text("offgraph: 1\nsteps:\n  - Threshold: {value: 0.5}\n  - Label\n")
    job = ("report", model, coins.parent, "--masks", tmp_path / "true", "-o", tmp_path / "page.html")
    status, out, _ = run(capsys, *job, "--against", tmp_path / "plain.yaml")
    assert status == 0 and "AP at IoU 0.5 1.0000" in out and "with Threshold → Label" in out
    assert run(capsys, *job, "--tiles", "128,128", "--overlap", 8, "--json")[0] == 0
    status, _, err = run(capsys, *job[:3], "-o", tmp_path / "page.html")
    assert status == 1 and err.endswith("; name their folder by --masks\n") and err.count("\n") == 1
