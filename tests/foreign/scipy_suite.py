"""SciPy's own tests of ndimage on our functions, at every SIMD level of this machine; none may run SciPy's code inside.

    python -m tests.foreign.scipy_suite ../shared/conformance/run.sh

The harness swaps every public function that is ours before SciPy's tests are collected, counts the calls, and fails if
one of them ran SciPy's ndimage (NDI_NO_SCIPY) or a native function that the tests name was not called at all (NDI_REQUIRE).
Nothing of these files is exempt: `generic_laplace` and `generic_gradient_magnitude` call the caller's function,
which in these tests is one that was swapped. What is SciPy's own object is not swapped and not counted.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

FILES = (
    "test_interpolation",
    "test_filters",
    "test_splines",
    "test_morphology",
    "test_measurements",
    "test_fourier",
)


def named_by_scipy() -> tuple[list[str], list[str]]:
    """The native functions that SciPy's own tests name, and those that they do not, which nothing there can call."""
    import scipy.ndimage.tests as theirs

    from offgraph import ndimage

    text = "".join(Path(folder, f"{name}.py").read_text() for folder in theirs.__path__ for name in FILES)
    is_named = {name: re.search(rf"\b{name}\b", text) is not None for name in sorted(ndimage.NATIVE)}
    return [name for name in is_named if is_named[name]], [name for name in is_named if not is_named[name]]


def main() -> int:
    from offgraph import _native

    parser = argparse.ArgumentParser(
        prog="python -m tests.foreign.scipy_suite", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("harness", type=Path, help="run.sh of the conformance harness")
    parser.add_argument("--levels", nargs="+", default=["baseline", "avx2", "avx512"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    options = parser.parse_args()
    failed = 0
    required, unnamed = named_by_scipy()
    print(f"SciPy's tests name {len(required)} functions, and not {', '.join(unnamed) or 'none'}", flush=True)
    for level in options.levels:
        if _native.set_simd_level(level) != level and _native.build_info()["simd"] != level:
            print(f"{level:8s} this processor does not have it")
            continue
        for threads in options.threads:
            environment = os.environ | {
                "PYTHON": sys.executable,
                "NDI_NO_SCIPY": "1",
                "NDI_REQUIRE": ",".join(required),
                "OFFGRAPH_SIMD": level,
                "OFFGRAPH_NUM_THREADS": str(threads),
            }
            told = subprocess.run(
                [str(options.harness.resolve()), "offgraph.ndimage", *FILES],
                env=environment,
                capture_output=True,
                text=True,
            )
            summary = re.findall(r"^\d+ (?:passed|failed).*$", told.stdout, re.M)
            total = re.findall(r"^\s+total\s+(\d+)\s+(\d+)", told.stdout, re.M) or [("?", "?")]
            calls = f"{total[-1][0]} calls, {total[-1][1]} ran SciPy's code"
            print(f"{level:8s} {threads} threads: {(summary or ['no result'])[-1]}; {calls}", flush=True)
            if told.returncode:
                failed += 1
                print(told.stdout[-6000:] + told.stderr[-3000:])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
