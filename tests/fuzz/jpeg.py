"""Mutated JPEGs for the native decoder: libjpeg-turbo's bytes or a refusal, and no crash, hang or endless memory.

Run as ``python -m tests.fuzz.jpeg --minutes 30``. File N follows from the seed and N alone: ``--only N`` makes it again.
A child process decodes, within limits that the kernel keeps: bytes of address space, and CPU seconds for each file. The
parent notes which file ended it, and starts another one after it. Each file is decoded from memory, whole and in part, and
by the path that a loader takes (`tests.fuzz.files`).
"""

from __future__ import annotations

import argparse
import json
import mmap
import random
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image
from tests.fuzz.files import path_outcome
from tests.support.odd_files import gradient, saved

from offgraph.engine.files import ReadProgress, read_images
from offgraph.engine.jpeg import decode_into, shape

SECONDS = 10.0
"""CPU seconds for one file. Of processor time, so that a busy machine does not count."""
MEMORY = 256 << 20
"""Bytes of address space beyond what the process has when it begins."""
MOST_PIXELS = 2_000_000
"""Larger headers are read and not decoded: the caller allocates the image, within a limit of its own."""
STUCK = 600
"""Seconds of wall time without a further file: waiting takes no processor time."""
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where files are written: no drive is worn by them."""
SHARE_OF_PHOTOGRAPHS = 0.1
_COUNTERS = struct.Struct("<q")


def small_files() -> list[bytes]:
    """Ordinary files of a few blocks, so that thousands are decoded in a second."""
    noise = np.random.default_rng(0).integers(0, 256, (33, 41, 3), dtype=np.uint8)
    made = [
        saved(image, "JPEG", mode, quality=quality, subsampling=subsampling, restart_marker_blocks=blocks)
        for image in (noise, gradient(40, 52), gradient(8, 8), gradient(17, 129))
        for mode, quality in (("L", 90), ("RGB", 60), ("RGB", 98), ("RGB", 5))
        for subsampling, blocks in ((0, 0), (1, 2), (2, 0), (2, 3))
    ]
    made += [saved(noise, "JPEG", "RGB", optimize=True), saved(noise, "JPEG", "RGB", progressive=True)]
    return made + [
        saved(
            gradient(19, 45),
            "JPEG",
            mode,
            quality=80,
            subsampling=orientation % 3,
            exif=oriented(orientation),
        )
        for orientation in range(1, 9)
        for mode in ("L", "RGB")
    ]


def oriented(orientation: int) -> bytes:
    """An EXIF segment that holds an orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def published_files(folders: list[Path]) -> list[bytes]:
    """The JPEGs in some folders."""
    paths = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    found = (path.read_bytes() for path in paths)
    return [data for data in found if data[:2] == b"\xff\xd8"]


def mutated(data: bytes, draws: random.Random) -> bytes:
    """A few bytes changed, left out, put in or said twice, in the header as often as in the coded data."""
    changed = bytearray(data)
    for _ in range(draws.choice([1, 1, 1, 2, 4])):
        start = changed.find(b"\xff\xda") if draws.random() < 0.5 else len(changed)
        at = draws.randrange(max(1, min(start, len(changed) - 1)))
        match draws.randrange(6):
            case 0:
                changed[at] ^= 1 << draws.randrange(8)
            case 1:
                changed[at] = draws.choice([0, 1, 0x11, 0x21, 0x22, 127, 255, draws.randrange(256)])
            case 2:
                del changed[at : at + draws.randrange(1, 12)]
            case 3:
                changed[at:at] = draws.randbytes(draws.randrange(1, 8))
            case 4:
                end = draws.randrange(len(changed))
                changed[at:at] = changed[end : end + draws.randrange(40)]
            case 5:
                del changed[max(at, 20) :]
        if len(changed) < 20:
            break
    return bytes(changed)


def segments(data: bytes) -> list[bytes]:
    """The segments up to the first scan, each with its marker; the last one is all that follows."""
    found, at = [data[:2]], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        found.append(data[at:end])
        at = end
    return [*found, data[at:]]


def with_other_segments(data: bytes, other: bytes, draws: random.Random) -> bytes:
    """Segments left out, said twice, moved, or those of another file: each is sound in itself."""
    parts = segments(data)
    theirs = segments(other)
    for _ in range(draws.choice([1, 1, 2, 3])):
        at = draws.randrange(1, len(parts)) if len(parts) > 1 else 0
        match draws.randrange(5):
            case 0:
                parts.insert(at, draws.choice(theirs))
            case 1:
                parts[at] = draws.choice(theirs)
            case 2:
                parts.insert(draws.randrange(len(parts) + 1), parts[at])
            case 3:
                parts.insert(draws.randrange(len(parts)), parts.pop(at))
            case 4 if len(parts) > 2:
                del parts[at]
    return b"".join(parts)


def with_other_tables(data: bytes, draws: random.Random) -> bytes:
    """Values changed inside a segment whose length stays right: tables, sampling factors, sizes, numbers of components."""
    parts = [bytearray(part) for part in segments(data)]
    inner = [part for part in parts[1:] if len(part) > 4]
    for _ in range(draws.choice([1, 1, 2, 5])):
        if not inner:
            break
        part = draws.choice(inner)
        low = (
            draws.randrange(4, min(len(part), 64)) if draws.random() < 0.7 else draws.randrange(4, len(part))
        )
        part[low] = draws.choice([0, 1, 2, 3, 4, 0x11, 0x12, 0x21, 0x22, 0x41, 15, 16, 127, 254, 255])
    return b"".join(parts)


def with_other_markers(data: bytes, draws: random.Random) -> bytes:
    """Markers put into the coded data, or taken out of it: restarts out of order, fill bytes, an early end."""
    start = data.find(b"\xff\xda") + 14
    changed = bytearray(data)
    for _ in range(draws.choice([1, 1, 2, 8])):
        if len(changed) <= start + 2:
            break
        at = draws.randrange(start, len(changed) - 1)
        marker = bytes([0xFF, draws.choice([0, 0, 0xD0, 0xD1, 0xD7, 0xD8, 0xD9, 0xDA, 0xC4, 0xFF, 0xFE])])
        found = changed.find(b"\xff", at)
        match draws.randrange(3):
            case 0:
                changed[at:at] = marker
            case 1:
                changed[at : at + 2] = marker
            case 2 if found >= 0:
                del changed[found : found + draws.choice([1, 2])]
    return bytes(changed)


def file(number: int, seed: int, small: list[bytes], photographs: list[bytes]) -> bytes:
    """File `number` of a run."""
    draws = random.Random(f"{seed} {number}")
    seeds = photographs if photographs and draws.random() < SHARE_OF_PHOTOGRAPHS else small
    data = draws.choice(seeds)
    ways: tuple[Callable[[bytes], bytes], ...] = (
        lambda data: mutated(data, draws),
        lambda data: mutated(data, draws),
        lambda data: with_other_segments(data, draws.choice(seeds), draws),
        lambda data: with_other_tables(data, draws),
        lambda data: with_other_markers(data, draws),
    )
    for _ in range(draws.choice([1, 1, 1, 2])):
        data = draws.choice(ways)(data)
        if len(data) < 20:
            break
    return data


def by_turbo(data: bytes, channels: int) -> np.ndarray | None:
    """The image as libjpeg-turbo decodes it, or None where it warns about anything."""
    try:
        return simplejpeg.decode_jpeg(data, "GRAY" if channels == 1 else "RGB", strict=True)
    except ValueError:
        return None


def outcome(data: bytes, draws: random.Random, path: Path) -> str:
    """What became of a file; begins with "DIFFERENCE" where it is a fault. It is written to `path`."""
    size = shape(data)
    if size is None:
        path.write_bytes(data)
        (file,) = read_images([path], len(data), ReadProgress())
        return "refused by its header" if file is None else "DIFFERENCE: refused, and read as a file"
    if size[0] * size[1] > MOST_PIXELS:
        return "too large to be decoded here"
    image = np.full(size, 77, np.uint8)
    refused = decode_into(image, data) is not None
    rows = sorted(draws.sample(range(size[0] + 1), 2))
    columns = sorted(draws.sample(range(size[1] + 1), 2))
    part = np.full((rows[1] - rows[0], columns[1] - columns[0], size[2]), 77, np.uint8)
    part_refused = decode_into(part, data, ((rows[0], rows[1]), (columns[0], columns[1]))) is not None
    wrong = path_outcome(path, data, None if refused else image, size, draws)
    if wrong is not None:
        return f"DIFFERENCE: {wrong}"
    if refused:
        return "refused" if part_refused else "refused, and a part above the damage decoded"
    if part_refused:
        return f"DIFFERENCE: decoded whole, and not in part (rows {rows}, columns {columns})"
    if not np.array_equal(part, image[rows[0] : rows[1], columns[0] : columns[1]]):
        return f"DIFFERENCE: a part is another image (rows {rows}, columns {columns})"
    turbo = by_turbo(data, size[2])
    if turbo is None:
        return "DIFFERENCE: libjpeg-turbo warns about it"
    if turbo.shape != image.shape or not np.array_equal(turbo, image):
        return "DIFFERENCE: libjpeg-turbo gives another image"
    return "decoded"


def decode_all(args: argparse.Namespace) -> None:
    """In the child: decode file after file, and say in the shared file which is begun."""
    small, photographs = small_files(), published_files(args.data)
    Image.init()
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    outcomes: Counter[str] = Counter()
    number = args.first
    with args.status.open("r+b") as status, mmap.mmap(status.fileno(), _COUNTERS.size) as current:
        while time.time() < args.until and number < args.last:
            data = file(number, args.seed, small, photographs)
            _COUNTERS.pack_into(current, 0, number)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)  # its signal ends the process, in native code too
            try:
                said = outcome(data, random.Random(number), args.status.with_name("file"))
            except Exception as error:
                said = f"DIFFERENCE: {type(error).__name__}: {error}"
            signal.setitimer(signal.ITIMER_PROF, 0)
            if said.startswith("DIFFERENCE"):
                print(json.dumps({"number": number, "fault": said}), flush=True)
                said = "DIFFERENCE"
            outcomes[said] += 1
            number += 1
            if number % 5000 == 0:
                print(json.dumps({"outcomes": outcomes}), flush=True)
                outcomes.clear()
    print(json.dumps({"outcomes": outcomes, "ended": True}), flush=True)


def run_child(
    args: argparse.Namespace, first: int, status: Path
) -> tuple[Counter[str], list[str], int | None]:
    """Run a child from a file on: outcomes, faults, and the number of the file that ended it, if one did."""
    command = [
        sys.executable, "-m", "tests.fuzz.jpeg", "--decode", str(status), "--first", str(first), "--last", str(args.last),
        "--seed", str(args.seed), "--until", str(args.until), "--data", *map(str, args.data),
    ]  # fmt: skip
    outcomes: Counter[str] = Counter()
    faults: list[str] = []
    status.write_bytes(_COUNTERS.pack(first))
    ended = stuck = False
    seen, since = first, time.monotonic()
    with tempfile.TemporaryFile("w+") as lines:
        process = subprocess.Popen(command, stdout=lines, text=True)
        while process.poll() is None:
            time.sleep(0.5)
            (now,) = _COUNTERS.unpack(status.read_bytes())
            if now != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > STUCK:
                stuck = True
                process.kill()
        lines.seek(0)
        for line in lines:
            said = json.loads(line)
            outcomes.update(said.get("outcomes", {}))
            ended = ended or said.get("ended", False)
            if "fault" in said:
                faults.append(f"file {said['number']}: {said['fault']}")
                keep(args, said["number"])
    if ended:
        return outcomes, faults, None
    (number,) = _COUNTERS.unpack(status.read_bytes())
    keep(args, number)
    status_code = process.returncode
    name = signal.Signals(-status_code).name if status_code < 0 else f"status {status_code}"
    hang = f"took more than {SECONDS:g} s of CPU" if name == "SIGPROF" else f"ended the process ({name})"
    faults.append(f"file {number}: {'no further file after it' if stuck else hang}")
    return outcomes, faults, number


def keep(args: argparse.Namespace, number: int) -> Path:
    """Write file `number` into the folder of what went wrong."""
    args.keep.mkdir(parents=True, exist_ok=True)
    path = args.keep / f"{args.seed}-{number}.jpg"
    path.write_bytes(file(number, args.seed, small_files(), published_files(args.data)))
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--files", type=int, default=2**62, help="end after that many")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="folders of files to mutate as well")
    parser.add_argument(
        "--keep", type=Path, default=Path("fuzz-cases"), help="where faulty files are written"
    )
    parser.add_argument(
        "--only", type=int, help="write this one file into --keep, and say what becomes of it"
    )
    parser.add_argument("--last", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--decode", type=Path, dest="status", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.status is not None:
        decode_all(args)
        return 0
    if args.only is not None:
        path = keep(args, args.only)
        with tempfile.TemporaryDirectory() as folder:
            said = outcome(path.read_bytes(), random.Random(args.only), Path(folder) / "file")
        print(f"{path}: {said}")
        return 0
    args.until = time.time() + args.minutes * 60
    args.last = args.first + args.files
    began, first = time.monotonic(), args.first
    outcomes: Counter[str] = Counter()
    faults: list[str] = []
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        while first < args.last and time.time() < args.until:
            counted, found, ended_by = run_child(args, first, Path(folder) / "status")
            outcomes += counted
            faults += found
            for fault in found:
                print(fault, flush=True)
            if ended_by is None:
                break
            first = ended_by + 1
    print(f"{sum(outcomes.values()):,} files in {(time.monotonic() - began) / 60:.1f} minutes")
    for said, count in outcomes.most_common():
        print(f"{count:12,} {said}")
    print(f"{len(faults)} faults" if faults else "ok")
    return bool(faults)


if __name__ == "__main__":
    raise SystemExit(main())
