"""The compiled loops. Private: arguments are checked by the Python that calls them."""

from typing import Any, TypedDict

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

class BuildInfo(TypedDict):
    version: str
    profile: str
    simd: str
    simd_detected: str
    threads: int

def build_info() -> BuildInfo: ...
def set_num_threads(count: int) -> int: ...
def set_local_num_threads(count: int) -> int: ...
def get_num_threads() -> int: ...
def set_simd_level(name: str) -> str: ...
