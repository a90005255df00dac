"""Thousands of damaged files of every format, read in one process: no death, no hang, no endless memory.

Run as ``python -m tests.support.hostile --files 5000``; the files are made from a seed, and each can be made again by its
number (``--only 1234 --keep FOLDER``).
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import random
import resource
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

SECONDS, MEMORY = 5.0, 2_000_000  # of a file; of a process, KiB
HANGS = 60  # seconds after which the process that reads is taken for hanging
LARGEST_SEED = 60_000  # bytes of a published file
COLOURS = ("keep", "rgb", "grey", "labels")
EXTREMES = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
)
SPECIAL = (
    "decoder crashed",
    "CPU seconds",
    "took too long",
    "more memory",
)  # what would have ended or held up the reader
ARITHMETIC = (
    "|JeWA07C!+0s;d90s{jB0|WyD1O*5M1q1{I3I_)U2n-4g3=0Yi3k?nu5Dg9y4hstq77!5=6crT}3=bC=78Do~6crTz$p8xo02lxu"
    "0Ra&J|I7de01yxb|Jncu0RaF2KLGy#>|`}R40-liymOH5c9bz29f50{Q1^In5wC>q6{%dVKo=t^sr<J$G&7uvwOvwV>=?Yzju?Rd*#"
)


def sound_files() -> list[tuple[str, bytes]]:
    """Small files of every format and kind, named by them."""
    y, x = np.mgrid[:48, :64]
    rgb = np.stack([y * 5 + x * 3, x * 4, y * x], -1).astype(np.uint8)
    rgba = np.dstack([rgb, (x * 4).astype(np.uint8)])
    grey, deep = rgb[..., 0].copy(), rgb.astype(np.uint16) * 257
    found: list[tuple[str, bytes]] = [("jpeg arithmetic", base64.b85decode(ARITHMETIC))]

    def pillow(name: str, array: np.ndarray, kind: str, mode: str | None = None, **options: object) -> None:
        out = io.BytesIO()
        image = Image.fromarray(array)
        (image.convert(mode) if mode else image).save(out, kind, **options)
        found.append((name, out.getvalue()))

    def tiff(name: str, array: np.ndarray, **options: object) -> None:
        out = io.BytesIO()
        tifffile.imwrite(out, array, **options)
        found.append((f"tiff {name}", out.getvalue()))

    def animation(kind: str, **options: object) -> None:
        later = [Image.fromarray(rgb[::-1].copy()), Image.fromarray(rgb[:, ::-1].copy())]
        pillow(f"{kind.lower()} animated", rgb, kind, save_all=True, append_images=later, **options)

    pillow("jpeg", rgb, "JPEG")
    pillow("jpeg grey", grey, "JPEG")
    pillow("jpeg progressive", rgb, "JPEG", progressive=True)
    pillow("jpeg restarts", rgb, "JPEG", restart_marker_rows=1)
    pillow("jpeg cmyk", rgb, "JPEG", "CMYK")
    found.append(("jpeg 12 bits", imagecodecs.jpeg_encode(deep >> 4, bitspersample=12)))
    found.append(("jpeg lossless", imagecodecs.jpeg_encode(rgb, lossless=True)))
    found.append(("jpeg lossless deep", imagecodecs.jpeg_encode(deep, lossless=True, bitspersample=16)))
    found.append(("jpeg lossless 10", imagecodecs.ljpeg_encode(deep[..., 0] >> 6, bitspersample=10)))
    for mode in ("1", "L", "P", "RGB"):
        pillow(f"png {mode}", rgb, "PNG", mode)
        pillow(f"bmp {mode}", rgb, "BMP", mode)
    pillow("png rgba", rgba, "PNG")
    pillow("png palette 4", grey // 16, "PNG", bits=4)
    animation("PNG")
    found.append(("png deep", imagecodecs.png_encode(deep)))
    pillow("gif", rgb, "GIF")
    animation("GIF")
    pillow("webp", rgb, "WEBP")
    pillow("webp lossless", rgb, "WEBP", lossless=True)
    pillow("webp rgba", rgba, "WEBP")
    animation("WEBP")
    pillow("avif", rgb, "AVIF")
    pillow("avif rgba", rgba, "AVIF")
    animation("AVIF")
    found.append(("avif 10 bits", imagecodecs.avif_encode(deep >> 6, bitspersample=10, level=90)))
    for mode, array in (("1", grey > 99), ("L", grey), ("RGB", rgb)):
        pillow(f"pnm {mode}", array, "PPM")
    found.append(("pnm text", b"P3 4 2 255\n" + b" ".join(b"%d" % value for value in range(24))))
    found.append(("pnm deep", b"P5 64 48 65535\n" + deep[..., 0].astype(">u2").tobytes()))
    for version in ("", ">"):
        out = io.BytesIO()
        np.save(out, deep.astype(f"{version or '<'}u2"))
        found.append((f"npy {version}", out.getvalue()))
    for mode in ("group3", "group4", "tiff_lzw", "packbits", "jpeg", "tiff_adobe_deflate"):
        pillow(f"tiff {mode} of libtiff", rgb, "TIFF", "1" if "group" in mode else None, compression=mode)
    tiff("raw", rgb, photometric="rgb")
    tiff("big", deep, photometric="rgb", bigtiff=True, byteorder=">")
    tiff("stack", np.stack([grey] * 4), metadata={"axes": "ZYX"}, photometric="minisblack")
    tiff("ome", np.stack([grey] * 4), metadata={"axes": "TYX"}, photometric="minisblack", ome=True)
    tiff("planes", np.moveaxis(deep, -1, 0), photometric="rgb", planarconfig="separate", rowsperstrip=8)
    tiff(
        "float", rgb.astype(np.float32), photometric="rgb", compression="zlib", predictor=True, tile=(16, 16)
    )
    for codec in (
        "lzw",
        "zlib",
        "zstd",
        "lzma",
        "packbits",
        "jpeg",
        "jpeg2000",
        "jpegxl",
        "webp",
        "lerc",
        "png",
    ):
        options = {"photometric": "rgb", "compression": codec, "metadata": None}
        try:
            tiff(f"{codec} strips", rgb, rowsperstrip=16, **options)
            tiff(f"{codec} tiles", rgb, tile=(32, 32), **options)
        except Exception as error:  # a codec that this build lacks
            print(f"no TIFF of {codec}: {error}", file=sys.stderr)
    return found


def published_files(folder: Path | None) -> list[tuple[str, bytes]]:
    """Files of a collection, where there is one."""
    if folder is None or not folder.is_dir():
        return []
    paths = (path for path in sorted(folder.rglob("*")) if path.suffix != ".csv" and path.is_file())
    return [(path.name, path.read_bytes()) for path in paths if path.stat().st_size <= LARGEST_SEED]


# ways to damage a file: each takes a bytearray and changes it


def flip_bits(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    for _turn in range(rng.choice((1, 1, 2, 8, 64))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def edit_header(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    for _turn in range(rng.randrange(1, 5)):
        data[rng.randrange(min(len(data), 300))] = rng.choice(
            (0, 1, 2, 127, 128, 254, 255, rng.randrange(256))
        )


def edit_number(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    """Write an extreme over what may be a length, a size or an offset."""
    width = rng.choice("HIIQ")
    at = rng.randrange(min(len(data), rng.choice((64, 400, 10**9))))
    value = (
        rng.choice((*EXTREMES, len(data), len(data) - at, len(data) + 1))
        & 2 ** (8 * struct.calcsize(width)) - 1
    )
    packed = struct.pack(rng.choice("<>") + width, value)
    data[at : at + len(packed)] = packed


def truncate(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    end = rng.choice((b"", b"", b"\xff\xd9", b"\0\0\0\0IEND\xaeB`\x82", b";"))
    data[rng.randrange(1, len(data)) :] = end


def repeat(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    at = rng.randrange(len(data))
    part = bytes(data[at : at + rng.choice((1, 8, 100, 5000))])
    data[at:at] = part * rng.choice((1, 2, 30, 1000 if len(part) < 200 else 3))


def remove(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    at = rng.randrange(len(data))
    del data[at : at + rng.choice((1, 2, 4, 50, 1000))]


def splice(data: bytearray, rng: random.Random, others: list[bytes]) -> None:
    other = rng.choice(others)
    begin = rng.randrange(len(other))
    part = other[begin : begin + rng.choice((4, 40, 400, 10**6))]
    at = rng.randrange(len(data))
    data[at : at + rng.choice((0, len(part)))] = part


WAYS: tuple[Callable[[bytearray, random.Random, list[bytes]], None], ...] = (
    flip_bits,
    edit_header,
    edit_number,
    edit_number,
    truncate,
    repeat,
    remove,
    splice,
)


def with_true_checksums(data: bytearray) -> None:
    """Make a damaged PNG or WebP pass the checks that would keep it from its decoder."""
    if data[:4] == b"RIFF":
        data[4:8] = struct.pack("<I", max(0, len(data) - 8))
    at = 8
    while data[1:4] == b"PNG" and at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        end = at + 8 + length
        if end + 4 > len(data):
            break
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4


def damaged(seed: int, number: int, seeds: list[tuple[str, bytes]]) -> tuple[str, bytes]:
    """File `number` of a run: every format in turn, damaged once to three times."""
    rng = random.Random(seed * 1_000_003 + number)
    name, whole = seeds[number % len(seeds)]
    kind = name.split(" ")[0]
    like = [data for other, data in seeds if other.split(" ")[0] == kind and len(data) > 1] or [whole]
    data = bytearray(whole)
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice(WAYS)(data, rng, like if rng.random() < 0.8 else [data for _, data in seeds if data])
        if not data:
            data += b"\xff"
    if rng.random() < 0.7:
        with_true_checksums(data)
    return name, bytes(data)


def read_all(args: argparse.Namespace) -> None:
    """In the process that reads: print what is begun, and in the end what it cost."""
    import offgraph as og
    from offgraph.formats import isolated

    seeds = sound_files() + published_files(args.data)
    outcomes: Counter[str] = Counter()
    slowest: list[tuple[float, int, str]] = []
    wrong: list[str] = []
    refused_sound = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        if args.first == 0:
            for name, data in sound_files():
                path.write_bytes(data)
                try:
                    og.imread(path)
                except og.OffgraphError as error:
                    refused_sound += "is not supported" not in str(error)
                    print(f"sound, but refused: {name}: {error}", file=sys.stderr)
        for number in range(args.first, args.files):
            name, data = damaged(args.seed, number, seeds)
            path.write_bytes(data)
            print(number, flush=True)
            began = time.perf_counter()
            try:
                og.imread(path, color=COLOURS[number % len(COLOURS)])
                outcomes["read"] += 1
            except og.OffgraphError as error:
                special = [words for words in SPECIAL if words in str(error)]
                outcomes[special[0] if special else type(error).__name__] += 1
                if not isinstance(error, og.DecodeError) or "fault in Offgraph" in str(error):
                    wrong.append(f"{number} ({name}): {type(error).__name__}: {str(error)[-200:]}")
            except BaseException as error:
                wrong.append(f"{number} ({name}): {type(error).__name__}: {str(error)[-200:]}")
            slowest = sorted([*slowest, (time.perf_counter() - began, number, name)])[-5:]
    isolated.close()
    print(
        json.dumps(
            {
                "outcomes": outcomes,
                "wrong": wrong,
                "refused_sound": refused_sound,
                "slowest": slowest[::-1],
                "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
                "memory_of_workers": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
            }
        ),
        flush=True,
    )


def watch(args: argparse.Namespace) -> int:
    """Start the process that reads, and see that it goes on."""
    command = [sys.executable, "-m", "tests.support.hostile", "--read", *sys.argv[1:]]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    last, timer = "", None
    assert process.stdout is not None
    began = time.perf_counter()
    for line in process.stdout:
        if timer:
            timer.cancel()
        last = line
        timer = threading.Timer(HANGS, process.kill)
        timer.start()
    if timer:
        timer.cancel()
    if process.wait() or not last.startswith("{"):
        print(
            f"FAIL: the process ended with {process.returncode} at file {last.strip()}; see --only and --keep"
        )
        return 1
    result = json.loads(last)
    seconds = result["slowest"][0][0]
    print(f"{args.files - args.first} files in {time.perf_counter() - began:.0f} s: {result['outcomes']}")
    print(f"memory: {result['memory'] >> 10} MB, of a worker {result['memory_of_workers'] >> 10} MB")
    print(
        "slowest: "
        + "; ".join(f"{took:.2f} s file {which} ({kind})" for took, which, kind in result["slowest"])
    )
    for said in result["wrong"]:
        print(f"wrong: {said}")
    sound = seconds < SECONDS and max(result["memory"], result["memory_of_workers"]) < MEMORY
    sound = sound and not result["wrong"] and not result["refused_sound"]
    print("ok" if sound else "FAIL")
    return not sound


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, help="a folder of published files to damage as well")
    parser.add_argument("--only", type=int, help="make this one file, into the folder --keep")
    parser.add_argument("--keep", type=Path, default=Path())
    parser.add_argument("--read", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only is not None:
        name, data = damaged(args.seed, args.only, sound_files() + published_files(args.data))
        path = args.keep / f"{args.only}-{name.replace(' ', '-').replace('>', 'big')}"
        path.write_bytes(data)
        print(path)
        return 0
    if args.read:
        read_all(args)
        return 0
    return watch(args)


if __name__ == "__main__":
    raise SystemExit(main())
