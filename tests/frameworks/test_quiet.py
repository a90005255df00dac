"""What the terminal shows of TensorFlow's start: nothing, unless the user asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.made import class_folder, recipe

import offgraph as og

pytest.importorskip("tensorflow")


def run(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env={**plain, **environment}
    )


COMMANDS = """
import sys
from pathlib import Path
from offgraph.apps.cli import main
home = sys.argv[1]
for command in (
    ["build", f"{home}/photos", f"{home}/out", "-r", f"{home}/recipe.yaml", "-f", "tfrecord"],
    ["predict", f"{home}/model.keras", f"{home}/photos", "-o", f"{home}/predictions"],
):
    try:
        main(command)
    except SystemExit as ended:
        assert not ended.code, ended.code
"""


def test_build_and_predict_print_their_own_lines_alone(tmp_path: Path) -> None:
    import keras

    class_folder(tmp_path / "photos", each=2)
    recipe().to_yaml(tmp_path / "recipe.yaml")
    model = keras.Sequential(
        [keras.Input((24, 20, 3)), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    )
    og.save(model, recipe(), tmp_path / "model.keras", class_names=["ant", "bee", "cat"])
    done = run(COMMANDS, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "manifest.json").exists() and (
        tmp_path / "predictions" / "report.html"
    ).exists()


CODE = """
import os, sys
from offgraph.frameworks import quiet
os.write(2, b"before\\n")
quiet.load_tensorflow({module!r})
os.write(2, b"after\\n")
print("tensorflow" in sys.modules)
"""


def loading(module: str, path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    search = os.pathsep.join([str(path), os.environ.get("PYTHONPATH", "")])
    return run(CODE.format(module=module), **environment, PYTHONPATH=search)


def test_what_else_is_printed_meanwhile_is_kept(tmp_path: Path) -> None:
    # A stand-in for TensorFlow prints what its libraries print, and more.
    (tmp_path / "tensorflow.py").write_text(
        "import os\n"
        "os.write(2, b'WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n')\n"
        "os.write(2, b'I0000 00:00:1795977892.387043   29652 port.cc:153] oneDNN custom operations are on.\\n')\n"
        "os.write(2, b'2026-11-29 18:00:00.123456: E external/x/cuda_dnn.cc:9] Unable to register cuDNN factory\\n')\n"
        "os.write(2, b'F0000 00:00:1795977892.387043   29652 x.cc:1] fatal\\n')\n"
        "os.write(2, b'I am no log line\\n')\n"
    )
    (tmp_path / "broken.py").write_text("import nowhere_to_be_found\n")
    done = loading("broken", tmp_path)  # not installed: whoever needs it says so
    assert done.stdout == "True\n" and "oneDNN" in done.stderr and "fatal" in done.stderr
    fatal = "F0000 00:00:1795977892.387043   29652 x.cc:1] fatal"
    (tmp_path / "sound.py").write_text("")
    done = loading("sound", tmp_path)
    assert done.stderr.splitlines() == ["before", fatal, "I am no log line", "after"]
    done = loading("sound", tmp_path, TF_CPP_MIN_LOG_LEVEL="0")
    assert done.stderr.splitlines() == ["before", "after"] and done.stdout == "False\n"
    (tmp_path / "failing.py").write_text("raise OSError('a library is broken')\n")
    done = loading("failing", tmp_path)
    assert done.returncode == 1 and "oneDNN" in done.stderr and "a library is broken" in done.stderr
