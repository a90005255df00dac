from __future__ import annotations

import compileall
import gc
import signal
import threading
from pathlib import Path

import pytest
from tests.parts import PARTS, belongs

import offgraph

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--part", choices=PARTS, help="run a part of the tests; all together: python -m tests.parts"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    part = config.getoption("--part")
    return True if part and not belongs(collection_path, part) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests marked `alone` to the part of that name."""
    part = config.getoption("--part")
    if part:
        others = [
            item for item in items if (part == "alone") != (item.get_closest_marker("alone") is not None)
        ]
        config.hook.pytest_deselected(items=others)
        left_out = set(others)
        items[:] = [item for item in items if item not in left_out]


def pytest_configure() -> None:
    """Compile the package once, and take interrupts.

    Where PYTHONDONTWRITEBYTECODE is set, each program that a test starts would compile it anew. A shell that starts the tests
    in the background has them ignore Ctrl-C, and the tests that send one would wait for ever.
    """
    compileall.compile_dir(Path(offgraph.__file__).parent, quiet=2)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection() -> None:
    """Collect garbage when all tests are known: they live to the end, and searching them over and over takes seconds."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images for measuring and testing; they are not part of the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the folder of real images {SHARED_DATA} is absent")
    return SHARED_DATA
