"""Time several callables in turn, so that noise of the machine affects all of them alike; keep what was measured."""

from __future__ import annotations

import json
import platform
import re
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

RECORDS = Path(__file__).parent / "record"


def machine() -> str:
    """Name of the processor, for the folder of records; nothing that names the computer."""
    try:
        info = Path("/proc/cpuinfo").read_text()
        model = re.search(r"model name\s*:\s*(.*)", info)
        name = model.group(1) if model else platform.machine()
        name += " avx512" if " avx512f" in info else " avx2" if " avx2" in info else ""
    except OSError:
        name = platform.processor() or platform.machine()
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _repeats(call: Callable[[], object], target: float) -> int:
    call()
    start = time.perf_counter()
    call()
    once = time.perf_counter() - start
    return max(1, min(500, int(target / max(once, 1e-7))))


def in_turn(
    calls: Mapping[str, Callable[[], object]], *, rounds: int = 5, target: float = 0.15
) -> dict[str, list[float]]:
    """Seconds per call, one entry per round: every callable runs once per round, for about `target` seconds."""
    repeats = {name: _repeats(call, target) for name, call in calls.items()}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                call()
            seconds[name].append((time.perf_counter() - start) / repeats[name])
    return seconds


def ratio(seconds: Mapping[str, list[float]], other: str, own: str = "offgraph") -> float | None:
    """Median over the rounds of other / own: above 1, Offgraph is the faster one."""
    if other not in seconds:
        return None
    return statistics.median(b / a for a, b in zip(seconds[own], seconds[other], strict=True))


def keep(name: str, rows: list[dict]) -> Path:
    """Write one run's rows under the processor's name."""
    path = RECORDS / machine() / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=1) + "\n")
    return path
