"""Load TensorFlow without the lines that its C++ parts print at start-up. For applications, not for the library."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

__all__ = ["load_tensorflow"]

LEVEL = "TF_CPP_MIN_LOG_LEVEL"

# Lines of two loggers, absl's ("I0000 00:00:1795977892.387043 29652 port.cc:153] …") and TensorFlow's own
# ("2026-11-29 18:00:00.000000: I tensorflow/core/util/port.cc:153] …"), and what they say without such a head.
# Fatal ones (F) are kept.
_START_UP = re.compile(
    rb"[IWE]\d{4} \d\d:\d\d:\S+ +\d+ \S+:\d+\] "
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] \S+:\d+\] "
    rb"|WARNING: All log messages before absl::InitializeLog\(\) is called"
    rb"|To enable the following instructions: "
)


def load_tensorflow(*modules: str) -> None:
    """Import TensorFlow, and modules that need it, with its start-up lines left out of standard error.

    The lines are printed while its libraries load, before any setting is read. All else that is printed meanwhile is
    printed after it; all of it where the import fails. Nothing is left out where the user has set
    ``TF_CPP_MIN_LOG_LEVEL``. A module that is not installed is not loaded: whoever needs it says so.

    Parameters
    ----------
    *modules : str
        Further modules, such as ``"keras"``.
    """
    if LEVEL in os.environ or "tensorflow" in sys.modules:
        return
    os.environ[LEVEL] = "2"  # what it prints later
    with contextlib.suppress(ImportError), _start_up_lines_left_out():
        for name in ("tensorflow", *modules):
            importlib.import_module(name)


@contextlib.contextmanager
def _start_up_lines_left_out() -> Iterator[None]:
    try:
        sys.stderr.flush()
        terminal = os.dup(2)
    except (OSError, ValueError, AttributeError):  # there is no standard error
        yield
        return
    whole = True
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
            whole = False
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            caught.seek(0)
            kept = (line for line in caught if whole or not _START_UP.match(line))
            with contextlib.suppress(OSError):
                os.write(2, b"".join(kept))
