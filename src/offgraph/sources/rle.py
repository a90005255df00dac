"""Run-length codes of COCO: runs of 0 and 1 in turn, down each column and then on to the next.

The compressed form writes each run as a number of 5-bit digits, lowest first, one character per digit: bit 5 says
that another digit follows, and 48 is added so that the text is printable. From the fourth run on, the number is the
difference from the run two places before, and the highest bit of its last digit is its sign.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["RunLengthError", "decode_runs", "encode_runs", "runs_of_text", "text_of_runs"]

_MOST_DIGITS = 7
"""Digits of a run: 35 bits, more than any image has pixels."""


class RunLengthError(ValueError):
    """Runs that cannot be those of a mask; says why, without the file and the object."""


def decode_runs(runs: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the mask of runs.

    Parameters
    ----------
    runs : ndarray of int64, shape (n,)
        Lengths of the runs of 0, 1, 0, 1, … in column-major order; the first may be 0.
    size : tuple of int
        (height, width) of the mask.

    Returns
    -------
    ndarray of bool, shape `size`

    Raises
    ------
    RunLengthError
        Where a run is negative, or the runs do not add up to the mask's pixels: nothing is allocated then.

    Examples
    --------
    >>> decode_runs(np.array([1, 2, 3]), (2, 3)).astype(int).tolist()
    [[0, 1, 0], [1, 0, 0]]
    """
    height, width = size
    runs = np.asarray(runs, np.int64)
    if runs.size and int(runs.min()) < 0:
        raise RunLengthError(f"run {int(np.argmin(runs)) + 1} is negative")
    # Summed as Python's integers: 64 bits could wrap around to the right sum.
    total = sum(map(int, runs)) if runs.size and int(runs.max()) > height * width else int(runs.sum())
    if total != height * width:
        raise RunLengthError(
            f"its runs cover {total:,} pixels, and {height} x {width} are {height * width:,}"
        )
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def encode_runs(mask: np.ndarray) -> np.ndarray:
    """Return the runs of a mask; the opposite of `decode_runs`.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)

    Returns
    -------
    ndarray of int64, shape (n,)
        The first run is of zeros, and may be 0; no other run is.
    """
    flat = np.asarray(mask, bool).T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(changes, prepend=0, append=flat.size)
    if flat.size and flat[0]:
        runs = np.concatenate(([0], runs))
    return runs.astype(np.int64)


def runs_of_text(text: str) -> np.ndarray:
    """Return the runs that a compressed code stands for.

    Raises
    ------
    RunLengthError
        Where the text is not such a code.

    Examples
    --------
    >>> runs_of_text("123").tolist()
    [1, 2, 3]
    """
    try:
        digits = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError:
        raise RunLengthError("its code holds characters that are not ASCII") from None
    if digits.size == 0:
        return np.empty(0, np.int64)
    if int(digits.min()) < 0 or int(digits.max()) > 63:
        raise RunLengthError("its code holds characters that are not among '0' to 'o'")
    more = (digits & 32) != 0
    if more[-1]:
        raise RunLengthError("its code ends in the middle of a run")
    ends = np.flatnonzero(~more)
    starts = np.concatenate(([0], ends[:-1] + 1))
    if int((ends - starts).max()) >= _MOST_DIGITS:
        raise RunLengthError(f"its code holds a run of more than {_MOST_DIGITS} digits")
    place = np.arange(len(digits)) - np.repeat(starts, ends - starts + 1)
    numbers = np.add.reduceat((digits & 31) << (5 * place), starts)
    negative = (digits[ends] & 16) != 0
    numbers -= np.where(negative, np.int64(1) << (5 * (place[ends] + 1)), 0)
    # A run of 2**35 takes 7 characters: the sums of a text of 2**30 characters stay below 2**63.
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers


def text_of_runs(runs: Sequence[int] | np.ndarray) -> str:
    """Return the compressed code of runs; the opposite of `runs_of_text`.

    Examples
    --------
    >>> text_of_runs([1, 2, 3, 4])
    '1232'
    """
    given = [int(run) for run in runs]
    code = bytearray()
    for i, run in enumerate(given):
        number = run - given[i - 2] if i > 2 else run
        while True:
            digit = number & 31
            number >>= 5
            done = number == (-1 if digit & 16 else 0)
            code.append(digit + 48 if done else digit + 80)
            if done:
                break
    return code.decode("ascii")
