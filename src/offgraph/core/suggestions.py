"""Near misses: what a mistyped word may have meant."""

from __future__ import annotations

from typing import Any

__all__ = ["did_you_mean", "other_libraries_name"]

_ELSEWHERE = {
    "order": ("interpolation", "interp", "resample", "method", "interpolation_order", "spline_order"),
    "mode": ("border_mode", "padding_mode", "fill_mode", "boundary", "pad_mode", "bordermode"),
    "cval": ("value", "fill", "fill_value", "border_value", "fillcolor", "constant_values", "pad_val"),
    "mask_cval": ("mask_value", "fill_mask", "mask_fill_value"),
    "angle": ("limit", "degrees", "rotation", "theta", "rotate_limit", "factor"),
    "sigma": ("sigma_limit", "std", "stddev", "var_limit", "std_range", "noise_scale"),
    "size": (
        "kernel_size",
        "ksize",
        "blur_limit",
        "shape",
        "target_size",
        "max_size",
        "output_size",
        "crop_size",
    ),
    "p": ("always_apply", "prob", "probability", "apply_prob"),
    "range": ("max_pixel_value", "max_value", "data_range"),
    "translate": ("translate_percent", "shift", "shift_limit"),
}


def other_libraries_name(word: str, known: Any) -> str:
    """Return ``"; it is called X here"`` for an argument as other libraries call it, or nothing."""
    ours = next((name for name, theirs in _ELSEWHERE.items() if word in theirs and name in known), None)
    return "" if ours is None else f"; it is called {ours} here"


def did_you_mean(word: str, known: Any) -> str:
    """Return ``"; did you mean X?"`` for a near miss, or nothing."""
    import difflib

    folded = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), folded, 1, 0.6)
    return f"; did you mean {folded[close[0]]}?" if close else ""
