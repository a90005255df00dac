"""Ctrl-C ends a long call, on one thread and on several."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

# What a call takes is made before it, so that the signal comes while the call runs.
CALLS = {
    "warp": (
        "np.zeros((200, 200, 200))",
        "ndimage.affine_transform(image, np.eye(3) * 0.25 + 0.03, order=5, prefilter=False, output_shape=(600, 400, 200))",
    ),
    "rotate bytes": (
        "np.zeros((30000, 30000), np.uint8)",
        "ndimage.rotate(image, 20, order=1, reshape=False)",
    ),
    "median": ("random((3000, 3000))", "ndimage.median_filter(image, 31)"),
    "correlate": ("np.zeros((4000, 4000))", "ndimage.correlate(image, random((101, 101)))"),
    "one line": ("np.zeros(2 * 10**7)", "ndimage.correlate1d(image, random(2001))"),
    "large window": ("random((900, 900))", "ndimage.percentile_filter(image, 30, size=301)"),
    "band by band": ("np.ones((6000, 6000))", "[ndimage.gaussian_filter(image, 20) for _ in range(20)]"),
    "parts of an image": (
        "np.broadcast_to(np.arange(4000)[:, None], (4000, 4000))",
        "ndimage.affine_transform(image, np.eye(2) / 3, order=5, prefilter=False, output=np.uint8,"
        " output_shape=(12000, 12000))",
    ),
    "zoomed parts": (
        "np.broadcast_to(np.arange(4000)[:, None], (4000, 4000))",
        "ndimage.zoom(image, 3, np.uint8, 5, prefilter=False)",
    ),
    "points": (
        "np.full((4, 3 * 10**6), 4.5)",
        "ndimage.map_coordinates(np.zeros((9, 9, 9, 9)), image, order=5, prefilter=False)",
    ),
}


@pytest.mark.alone
@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CALLS)
def test_a_long_call_is_interrupted(name, threads):
    image, call = CALLS[name]
    # A shell's background jobs, and what they start, ignore the signal.
    program = f"""
import signal
import time
signal.signal(signal.SIGINT, signal.default_int_handler)
import numpy as np
import offgraph
from offgraph import ndimage
offgraph.set_num_threads({threads})
random = np.random.default_rng(0).random
image = {image}
{"import scipy.special" if "rotate" in call else ""}
print("ready", flush=True)
try:
    {call}
except KeyboardInterrupt:
    print("interrupted", time.time(), flush=True)
else:
    print("done", time.time(), flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(0.15)
    asked = time.time()
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=60)
    what, when = out.split()
    if what == "done" and float(when) < asked:
        pytest.skip("this machine is too fast for the call")
    assert what == "interrupted"
    # A tenth of a second on a machine that does nothing else; the calls take ten seconds and more.
    assert float(when) - asked < 2.0
