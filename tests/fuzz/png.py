"""Mutated PNGs for the native decoder: what `offgraph.formats.decoding.read` gives without a word, or a refusal.

Each file, of 8 or 16 bits, is decoded from memory, and by the path that a loader takes (`tests.fuzz.files`). Run as
``python -m tests.fuzz.png --minutes 30``. File N follows from the seed and N alone: ``--only N`` makes it again. Checksums
are mostly made right after a mutation, so that the decoder gets to see it. The number of the file in work is in the file
that ``--status`` names, for the case that one ends the process.
"""

from __future__ import annotations

import argparse
import random
import resource
import signal
import struct
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tests.fuzz.files import png_path_outcome
from tests.support.odd_images import pngs

from offgraph.core.errors import DecodeError
from offgraph.engine.png import decode_many
from offgraph.formats.decoding import read
from offgraph.formats.encoding import encode_png
from offgraph.formats.png_writing import encode_png_fast

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SECONDS = 10.0
"""CPU seconds for one file."""
MEMORY = 512 << 20
"""Bytes of address space beyond what the process has when it begins."""
MOST_VALUES = 4_000_000
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where files are written: no drive is worn by them."""
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
KINDS = (
    b"IDAT",
    b"IHDR",
    b"PLTE",
    b"tRNS",
    b"eXIf",
    b"acTL",
    b"gAMA",
    b"iCCP",
    b"sBIT",
    b"tEXt",
    b"IEND",
    b"zzzz",
)
TEXTS = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0\0", b"Title\0of it", b"")

Chunks = list[tuple[bytes, bytes]]


def small_files() -> list[bytes]:
    """Ordinary files of every shape and depth, and odd ones."""
    rng = np.random.default_rng(0)
    odd, made = [data for _, data in pngs()], []
    for shape in ((33, 41, 3), (40, 52), (1, 9, 3), (17, 3), (24, 20, 4), (24, 20, 2)):
        smooth = np.indices(shape)[:2].sum(0) * 2 + rng.integers(0, 5, shape)
        for array in (smooth.astype(np.uint8), (smooth * 199).astype(np.uint16)):
            made += (
                [encode_png(array), encode_png_fast(array)] if shape[2:] != (2,) else [encode_png_fast(array)]
            )
    return odd + made * (1 + 3 * len(odd) // len(made))  # most of them ordinary


def published_files(folders: list[Path]) -> list[bytes]:
    """The PNGs in some folders."""
    paths = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    found = (path.read_bytes() for path in paths if path.stat().st_size < 200_000)
    return [data for data in found if data.startswith(SIGNATURE)]


def chunks_of(data: bytes) -> Chunks:
    """Kind and contents of each chunk, as far as they are whole."""
    found, at = [], len(SIGNATURE)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def joined(chunks: Chunks) -> bytes:
    parts = [SIGNATURE]
    for kind, body in chunks:
        parts.append(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))
    return b"".join(parts)


def with_other_bytes(data: bytes, draws: random.Random) -> bytes:
    """A few bytes changed, left out, put in or said twice, anywhere: checksums are wrong then."""
    changed = bytearray(data)
    for _ in range(draws.choice([1, 1, 2, 4])):
        at = draws.randrange(max(1, len(changed)))
        match draws.randrange(4):
            case 0 if changed:
                changed[at] = draws.randrange(256)
            case 1:
                del changed[at : at + draws.randrange(1, 12)]
            case 2:
                changed[at:at] = draws.randbytes(draws.randrange(1, 8))
            case 3:
                del changed[max(at, 20) :]
    return bytes(changed)


def with_other_contents(data: bytes, draws: random.Random) -> bytes:
    """Bytes changed inside chunks, whose checksums are right again."""
    chunks = chunks_of(data)
    for _ in range(draws.choice([1, 1, 2, 5])):
        filled = [place for place, (_, body) in enumerate(chunks) if body]
        if not filled:
            break
        place = draws.choice(filled)
        kind, body = chunks[place]
        changed = bytearray(body)
        at = draws.randrange(len(changed))
        if kind == b"IHDR" and draws.random() < 0.7:
            changed[at] = draws.choice([0, 1, 2, 3, 4, 6, 8, 16, 33, 41, 128, 255])
        else:
            changed[at] ^= 1 << draws.randrange(8)
        if draws.random() < 0.1:
            del changed[at:]
        chunks[place] = (kind, bytes(changed))
    return joined(chunks)


def with_other_chunks(data: bytes, other: bytes, draws: random.Random) -> bytes:
    """Chunks left out, said twice, moved, cut in two, of another file or another kind: each is sound in itself."""
    chunks, theirs = chunks_of(data), chunks_of(other)
    for _ in range(draws.choice([1, 1, 2, 3])):
        if not chunks:
            break
        at = draws.randrange(len(chunks))
        kind, body = chunks[at]
        match draws.randrange(7):
            case 0 if theirs:
                chunks.insert(at, draws.choice(theirs))
            case 1 if theirs:
                chunks[at] = draws.choice(theirs)
            case 2:
                chunks.insert(draws.randrange(len(chunks) + 1), chunks[at])
            case 3:
                chunks.insert(draws.randrange(len(chunks)), chunks.pop(at))
            case 4:
                del chunks[at]
            case 5:
                middle = draws.randrange(len(body) + 1)
                chunks[at : at + 1] = [(kind, body[:middle]), (kind, body[middle:])]
            case 6:
                new = draws.choice(KINDS), draws.choice(TEXTS) + draws.randbytes(draws.randrange(9))
                chunks.insert(at, new)
    return joined(chunks)


def deflated(rows: bytes, draws: random.Random) -> bytes:
    """A zlib stream by any level, strategy, window and number of pieces."""
    window = draws.choice([9, 10, 12, 15, 15, 15])
    strategy = draws.choice(
        [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED]
    )
    packer = zlib.compressobj(draws.randrange(10), zlib.DEFLATED, window, draws.randrange(1, 10), strategy)
    made, at = [], 0
    while at < len(rows):
        end = at + draws.choice([1, 50, 5000, len(rows)])
        made.append(packer.compress(rows[at:end]))
        if draws.random() < 0.3:
            made.append(
                packer.flush(draws.choice([zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH]))
            )
        at = end
    return b"".join([*made, packer.flush()])


def with_other_data(data: bytes, draws: random.Random) -> bytes:
    """The rows with other filters, in another stream, in other chunks; or the stream changed and its sum made right."""
    chunks = chunks_of(data)
    coded = b"".join(body for kind, body in chunks if kind == b"IDAT")
    try:
        rows = bytearray(zlib.decompressobj().decompress(coded, MOST_VALUES))
    except zlib.error:
        return data
    match draws.randrange(3):
        case 0:
            for _ in range(draws.choice([0, 1, 40])):
                if rows:
                    rows[draws.randrange(len(rows))] = draws.choice([0, 1, 2, 3, 4, 5, draws.randrange(256)])
            if draws.random() < 0.15:
                rows += draws.randbytes(draws.randrange(1, 99))
            elif draws.random() < 0.15:
                del rows[-draws.randrange(1, 99) :]
            coded = deflated(bytes(rows), draws)
        case 1:
            changed = bytearray(coded[:-4])
            if not changed:
                return data
            changed[draws.randrange(len(changed))] ^= 1 << draws.randrange(8)
            try:
                unpacked = zlib.decompressobj(-15).decompress(bytes(changed[2:]), MOST_VALUES)
            except zlib.error:
                unpacked = b""
            coded = bytes(changed) + struct.pack(">I", zlib.adler32(unpacked))
        case 2:
            coded += draws.randbytes(draws.randrange(1, 20))
    parts, at = [], 0
    while at < len(coded):
        end = at + draws.choice([1, 7, 300, 8192, len(coded)])
        parts.append((b"IDAT", coded[at:end]))
        at = end
    first = next((place for place, (kind, _) in enumerate(chunks) if kind == b"IDAT"), len(chunks))
    rest = [chunk for chunk in chunks[first:] if chunk[0] != b"IDAT"]
    return joined([*chunks[:first], *parts, *rest])


def file(number: int, seed: int, small: list[bytes], published: list[bytes]) -> bytes:
    """File `number` of a run."""
    draws = random.Random(f"{seed} {number}")
    seeds = published if published and draws.random() < 0.2 else small
    data = draws.choice(seeds)
    ways: tuple[Callable[[bytes], bytes], ...] = (
        lambda data: with_other_bytes(data, draws),
        lambda data: with_other_contents(data, draws),
        lambda data: with_other_chunks(data, draws.choice(seeds), draws),
        lambda data: with_other_data(data, draws),
        lambda data: with_other_data(data, draws),
    )
    for _ in range(draws.choice([1, 1, 1, 2])):
        data = draws.choice(ways)(data)
    return data


def outcome(data: bytes, draws: random.Random, path: Path) -> str:
    """What became of a file; begins with "DIFFERENCE" where it is a fault. It is written to `path`."""
    if len(data) < 29 or data[25] not in CHANNELS or data[24] not in (8, 16):
        return "of another kind"
    width, height = struct.unpack(">II", data[16:24])
    channels = CHANNELS[data[25]]
    if not 0 < width * height * channels <= MOST_VALUES:
        return "too large to be decoded here"
    shape = (height, width) if channels == 1 else (height, width, channels)
    image = np.full(shape, 77, np.uint8 if data[24] == 8 else np.uint16)
    (refused,) = decode_many([(image, np.frombuffer(data, np.uint8))])
    whole = None if refused is not None else image.reshape(height, width, channels)
    wrong = png_path_outcome(path, data, whole, draws)
    if wrong is not None:
        return f"DIFFERENCE: {wrong}"
    if refused is not None:
        return "refused"
    try:
        found = read(data)
    except DecodeError as error:
        return f"DIFFERENCE: the reader refuses it: {error}"
    if found.notes or found.orientation != 1 or found.frames != 1:
        return f"DIFFERENCE: the reader says {found.notes}, orientation {found.orientation}"
    if found.layout not in ("grey", "rgb", "grey+alpha", "rgba"):
        return f"DIFFERENCE: the reader takes it for {found.layout}"
    if found.array.dtype != image.dtype or not np.array_equal(found.array, image):
        return "DIFFERENCE: the reader gives another image"
    return "decoded"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--files", type=int, default=2**62, help="end after that many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="folders of files to mutate as well")
    parser.add_argument("--status", type=Path, help="file that holds the number of the file in work")
    parser.add_argument("--only", type=int, help="say what becomes of this one file")
    args = parser.parse_args()
    small, published = small_files(), published_files(args.data)
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        path = Path(folder) / "file"
        if args.only is not None:
            data = file(args.only, args.seed, small, published)
            print(outcome(data, random.Random(args.only), path))
            return 0
        return run(args, small, published, path)


def run(args: argparse.Namespace, small: list[bytes], published: list[bytes], path: Path) -> int:
    """Decode file after file within limits of time and memory; 1 where one is a fault."""
    outcome(small[0], random.Random(0), path)  # libraries are loaded before memory is limited
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    outcomes: Counter[str] = Counter()
    faults = number = 0
    until = time.monotonic() + args.minutes * 60
    while number < args.files and time.monotonic() < until:
        if args.status is not None:
            args.status.write_text(str(number))
        data = file(number, args.seed, small, published)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # its signal ends the process, in native code too
        said = outcome(data, random.Random(number), path)
        signal.setitimer(signal.ITIMER_PROF, 0)
        if said.startswith("DIFFERENCE"):
            print(f"file {number}: {said}", flush=True)
            faults += 1
            said = "DIFFERENCE"
        outcomes[said] += 1
        number += 1
    print(f"{number:,} files")
    for said, count in outcomes.most_common():
        print(f"{count:12,} {said}")
    print(f"{faults} faults" if faults else "ok")
    return bool(faults)


if __name__ == "__main__":
    raise SystemExit(main())
