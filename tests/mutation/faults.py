"""Deliberate faults, each of a kind that SciPy's own tests let pass or nearly do; our suite must notice every one.

A fault is a piece of the source, which has to be there exactly once, and what takes its place. `tests` chooses the tests
that have to notice, as pytest's `-k` does.
"""

from __future__ import annotations

from dataclasses import dataclass

PYTHON = "src/offgraph"
RUST = "native/kernels/src"


@dataclass(frozen=True)
class Fault:
    """One wrong line."""

    name: str
    file: str
    old: str
    new: str
    tests: str

    @property
    def compiled(self) -> bool:
        return self.file.endswith(".rs")


FAULTS = (
    Fault(
        "a Gaussian reaches 3.9 sigma",
        f"{PYTHON}/ndimage/filters/gaussian.py",
        "int(truncate * float(sigma) + 0.5)",
        "int((truncate - 0.1) * float(sigma) + 0.5)",
        "gaussian",
    ),
    Fault(
        "a convolution of even size lies one sample off",
        f"{PYTHON}/ndimage/filters/linear.py",
        "        origin -= 1\n",
        "        origin -= 0\n",
        "correlations or convolve1d",
    ),
    Fault(
        "the length of a zoomed axis is cut, not rounded",
        f"{PYTHON}/ndimage/interpolation/warps.py",
        "tuple(int(round(n * factor))",
        "tuple(int(n * factor)",
        "zoom",
    ),
    Fault(
        "zoom ignores grid_mode",
        f"{PYTHON}/engine/resample.py",
        "    less = 0 if grid_mode else 1\n",
        "    less = 1\n",
        "zoom",
    ),
    Fault(
        "warps take wrap for grid-wrap",
        f"{PYTHON}/engine/calls.py",
        '    "wrap": 1,\n',
        '    "wrap": 5,\n',
        "zoom or shift or rotate or affine",
    ),
    Fault(
        "warps blend with the fill value at the edge",
        f"{PYTHON}/engine/calls.py",
        '    "constant": 4,\n',
        '    "constant": 6,\n',
        "zoom or shift or rotate or affine",
    ),
    Fault(
        "splines begin one sample later beyond the edge",
        f"{PYTHON}/engine/splines.py",
        "_PAD = 12\n",
        "_PAD = 11\n",
        "zoom or shift or affine",
    ),
    Fault(
        "a percentile is rounded to a rank",
        f"{PYTHON}/ndimage/filters/rank.py",
        "int(float(count) * percentile / 100.0)",
        "int(float(count) * percentile / 100.0 + 0.5)",
        "rank or percentile",
    ),
    Fault(
        "the median of an even count is the lower one",
        f"{PYTHON}/ndimage/filters/rank.py",
        "rank = count // 2\n",
        "rank = (count - 1) // 2\n",
        "rank or median",
    ),
    Fault(
        "a dilation by an even structure lies one pixel off",
        f"{PYTHON}/ndimage/morphology/binary.py",
        "[-each - (elements.shape[axis] + 1) % 2 for",
        "[-each - 0 * elements.shape[axis] for",
        "dilation",
    ),
    Fault(
        "zoom's coordinates are float32",
        f"{RUST}/interpolate/zoom/plan.rs",
        "        x + pad as f64\n",
        "        f64::from((x + pad as f64) as f32)\n",
        "zoom or shift",
    ),
    Fault(
        "spline weights are fused",
        f"{RUST}/interpolate/spline.rs",
        "w[1] = (x * x * (x - 2.0) * 3.0 + 4.0) / 6.0;",
        "w[1] = (x * x * (x - 2.0)).mul_add(3.0, 4.0) / 6.0;",
        "zoom or rotate or map_coordinates",
    ),
    Fault(
        "a pole has the digits of float32",
        f"{RUST}/interpolate/spline.rs",
        "-0.267_949_192_431_122_7",
        "-0.267_949_2",
        "spline",
    ),
    Fault(
        "warps truncate to unsigned types",
        f"{RUST}/array/sample.rs",
        "let x = if x > 0.0 { x + 0.5 } else { 0.0 };",
        "let x = if x > 0.0 { x } else { 0.0 };",
        "rotate or affine or zoom",
    ),
    Fault(
        "correlate saturates at zero",
        f"{RUST}/array/sample.rs",
        "                if x > -1.0 {\n",
        "                if x < 0.0 {\n                    0\n                } else if x > -1.0 {\n",
        "correlat",
    ),
    Fault(
        "warps round to booleans",
        f"{RUST}/array/sample.rs",
        "        // SciPy neither rounds nor clips booleans.\n        Self(u8::from_f64_truncated(x))",
        "        Self(u8::from_f64_rounded(x))",
        "rotate or affine or zoom or shift",
    ),
    Fault(
        "a window is symmetric by a relative tolerance",
        f"{RUST}/filter/correlate1d/taps.rs",
        "differs(*b, *a).abs() > f64::EPSILON)",
        "differs(*b, *a).abs() > f64::EPSILON * a.abs().max(b.abs()))",
        "correlations or correlate1d",
    ),
    Fault(
        "a Gaussian's guess is trusted",
        f"{RUST}/filter/correlate1d/approx.rs",
        "error: error as f32 * 1.000_001",
        "error: 0.0",
        "tiles or gaussian or linear",
    ),
    Fault(
        "a mean of float32 is approximated whatever its sum",
        f"{RUST}/filter/uniform1d/division.rs",
        "const LOW_BITS: u64 = 31;",
        "const LOW_BITS: u64 = 0;",
        "means or uniform",
    ),
    Fault(
        "a border's value is rounded where differences are taken in float32",
        f"{RUST}/border.rs",
        "(!is_filled || element.to_f64().to_bits() == fill.to_bits())",
        "(!is_filled || !fill.is_nan())",
        "differences",
    ),
    Fault(
        "a mean is multiplied by the reciprocal",
        f"{RUST}/filter/uniform1d/division.rs",
        "if left.is_nan() { near } else { high + left * self.reciprocal }",
        "near",
        "means or uniform",
    ),
    Fault(
        "a running sum adds before it subtracts",
        f"{RUST}/filter/uniform1d.rs",
        "sums[lane].plus(enters[lane].minus(leaves[lane]));",
        "sums[lane].plus(enters[lane]).minus(leaves[lane]);",
        "means or uniform",
    ),
    Fault(
        "the median takes NaN for zero",
        f"{RUST}/rank/key.rs",
        "if self.is_nan() { <$key>::MAX }",
        "if self.is_nan() { 1 << (<$key>::BITS - 1) }",
        "rank or nan",
    ),
    Fault(
        "an approximate bilinear sum is trusted",
        f"{RUST}/interpolate/bilinear/bytes.rs",
        "const MAX_ERROR: f32 = 1.0 / 16384.0;",
        "const MAX_ERROR: f32 = 0.0;",
        "rotate or zoom or matrix",
    ),
    Fault(
        "an approximate warped spline is trusted",
        f"{RUST}/interpolate/warp/approx.rs",
        ".then_some(largest * RELATIVE_ERROR)",
        ".then_some(largest * 0.0)",
        "rotate or affine or coordinates or guess",
    ),
    Fault(
        "an approximate zoomed spline is trusted",
        f"{RUST}/interpolate/zoom/approx.rs",
        "error: relative_error(TAPS, weighted, channels.is_some()),",
        "error: 0.0 * relative_error(TAPS, weighted, channels.is_some()),",
        "zoom or shift",
    ),
    Fault(
        "a row is taken for the one above if all but one of its window are",
        f"{RUST}/filter/correlate1d/approx.rs",
        "if equal >= size {",
        "if equal + 1 >= size {",
        "linear or repeat or gaussian",
    ),
    Fault(
        "a part of an image is read as if it were the whole",
        f"{RUST}/interpolate/zoom/axis_table.rs",
        "firsts[at] + *sample - ranges[at].start",
        "firsts[at]",
        "parts_of_images or gaps",
    ),
    Fault(
        "a part is filtered without what its window reaches",
        f"{PYTHON}/ndimage/filters/lines.py",
        "            if step == size:\n                reach = 0",
        "            reach = 0",
        "every_function",
    ),
)
