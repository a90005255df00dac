"""Ray makes the shards that threads make, and those of a machine that is lost once more."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.made import class_folder, recipe, tree

import offgraph as og
from offgraph.dataset import on_ray
from offgraph.dataset.maker import Maker
from offgraph.steps.base import STEPS

try:
    ray: Any = on_ray.import_ray()
except og.BuildError:
    ray = None
needs_ray = pytest.mark.skipif(ray is None, reason="needs Ray")


HANGS = "OFFGRAPH_TEST_HANGS"


class Slow(og.PointwiseStep):
    """Takes its time; on the machine that is to be lost it says that it was reached, and never ends."""

    def reference(self, ndi: Any, image: Any, params: Any, channel: int = 0) -> Any:
        """Return other values."""
        if HANGS in os.environ:
            Path(os.environ[HANGS]).touch()
            time.sleep(120)
        time.sleep(0.02)
        return image + image.dtype.type(1)


@pytest.fixture
def slow() -> Iterator[type[Slow]]:
    """The step, under its name as long as a test needs it; the tests of all steps know none that tests register."""
    og.register(Slow)
    yield Slow
    del STEPS["Slow"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos"), each=8, bad=True)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two machines with a processor each, and one more of the driver that has none."""
    from ray.cluster_utils import Cluster

    made = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 0,
            "include_dashboard": False,
            # A lost machine is noticed in half a second, not in 15. One that is slow to answer has its 10 s as before.
            "_system_config": {"health_check_period_ms": 100, "health_check_initial_delay_ms": 1000},
        },
    )
    try:
        for _ in range(2):
            made.add_node(num_cpus=1)
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def build(photos: Path, out: Path, **options: Any) -> og.BuildReport:
    return og.build(
        photos, out, **{"recipe": recipe(), "copies": 2, "shard_size": 7, "progress": False, **options}
    )


@needs_ray
@pytest.mark.parametrize("format", ["folder", "arrow"])
def test_the_bytes_are_those_of_threads(
    photos: Path, tmp_path: Path, cluster: Any, format: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if format == "arrow":
        pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)  # names that are relative mean the same there
    alone = build(photos, tmp_path / "alone", format=format, workers=2)
    spread = build(photos, Path("spread"), format=format, engine="ray", address=cluster.address)
    assert tree(tmp_path / "spread") == tree(tmp_path / "alone")
    assert (spread.examples, spread.quarantined) == (alone.examples, alone.quarantined)
    assert not ray.is_initialized()


@needs_ray
def test_a_lost_machine_s_shards_are_made_again(
    photos: Path, tmp_path: Path, cluster: Any, slow: type[Slow]
) -> None:
    steps = [og.Resize((8, 8)), slow()]
    how: dict[str, Any] = {"recipe": steps, "copies": 1, "shard_size": 5}
    out = tmp_path / "spread"
    reached = tmp_path / "reached"
    lost = cluster.add_node(num_cpus=1, env_vars={HANGS: str(reached)})
    failed: list[BaseException] = []

    def run() -> None:
        try:
            build(photos, out, engine="ray", address=cluster.address, **how)
        except BaseException as error:
            failed.append(error)

    building = threading.Thread(target=run)
    building.start()
    while building.is_alive() and not reached.exists():
        time.sleep(0.02)
    assert building.is_alive(), failed
    cluster.remove_node(lost, allow_graceful=False)
    assert not (out / "manifest.json").exists()
    building.join(60)
    assert not failed and not building.is_alive()
    build(photos, tmp_path / "alone", workers=4, **how)
    assert tree(out) == tree(tmp_path / "alone")


@needs_ray
def test_an_interrupted_build_goes_on_with_threads(photos: Path, tmp_path: Path, cluster: Any) -> None:
    out = tmp_path / "out"
    with pytest.raises(og.BuildError, match="2 of 26 images are bad"):
        build(photos, out, engine="ray", address=cluster.address, max_bad=1)
    build(photos, out)
    build(photos, tmp_path / "alone")
    assert tree(out) == tree(tmp_path / "alone")


@needs_ray
def test_errors_of_a_task_are_the_build_s(photos: Path, tmp_path: Path, cluster: Any) -> None:
    with pytest.raises(og.BuildError, match=r"ant/cut.png: .*on_error='stop'"):
        build(photos, tmp_path / "out", engine="ray", address=cluster.address, on_error="stop", shard_size=99)
    with pytest.raises(og.BuildError, match="does not see this folder"):
        on_ray._enter(tmp_path, tmp_path / "elsewhere", b"{}")


@needs_ray
def test_ray_of_its_own_leaves_nothing_behind(photos: Path, tmp_path: Path) -> None:
    code = f"""
import offgraph as og
from tests.support.made import recipe
if __name__ == "__main__":
    og.build({str(photos)!r}, {str(tmp_path / "out")!r}, recipe(), copies=2, shard_size=7, engine="ray", workers=1)
    import ray
    assert not ray.is_initialized()
"""
    home = tempfile.mkdtemp(prefix="ray")  # the names of sockets are short
    here = str(Path(__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))}
    env["RAY_TMPDIR"] = home
    subprocess.run([sys.executable, "-c", code], check=True, env=env, timeout=120)
    build(photos, tmp_path / "alone")
    assert tree(tmp_path / "out") == tree(tmp_path / "alone")
    marks = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(home.encode() in mark for mark in marks)
    shutil.rmtree(home)


def test_without_ray_it_says_what_to_install(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(og.BuildError, match=r"pip install 'offgraph\[ray\]'"):
        build(photos, tmp_path / "out", engine="ray")


@pytest.mark.parametrize(
    ("options", "says"),
    [({"engine": "dask"}, "engine='dask': choose one of"), ({"address": "auto"}, "is for engine='ray'")],
)
def test_wrong_options_are_named(photos: Path, tmp_path: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(og.BuildError, match=says):
        build(photos, tmp_path / "out", **options)


def test_a_maker_leaves_its_process_without_locks(photos: Path) -> None:
    maker = Maker(og.open_source(photos), recipe(), 3, "integers")
    again = pickle.loads(pickle.dumps(maker))
    made = [one.many([(1, 0)])[0] for one in (maker, again)]
    np.testing.assert_array_equal(*[np.frombuffer(one.image.data, np.uint8) for one in made])
