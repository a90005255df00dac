"""Whatever a ``.keras`` file holds, reading Offgraph's part of it gives a description or an OffgraphError that names it."""

from __future__ import annotations

import copy
import io
import json
import random
import time
import zipfile
from pathlib import Path

import pytest

import offgraph as og
from offgraph.core.errors import OffgraphError
from offgraph.frameworks.member import MEMBER, Description, read_description

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.core.errors.OffgraphWarning")  # hints on odd values

RECIPE = og.Compose(
    [
        og.Resize((24, 20)),
        og.MedianFilter(3),
        og.Augment(og.Rotate((-15, 15), id="turn"), og.Affine(shear=(-0.2, 0.2), p=0.5), og.Flip("X", p=0.5)),
        og.Normalize(mean=[0.5, 0.4, 0.3], std=[0.2, 0.2, 0.2]),
    ]
)
GOOD = {
    "offgraph": 1,
    "versions": {"keras": "3"},
    "task": "segment",
    "outputs": "probabilities",
    "recipe": RECIPE.to_dict(),
    "prepare": RECIPE.eval().to_dict(),
    "fingerprint": RECIPE.fingerprint,
    "class_names": ["background", "coin"],
    "target_names": [],
    "postprocess": og.Compose([og.Threshold(0.5), og.FillHoles(), og.Label()]).to_dict(),
    "input": {"shape": [None, None, 3], "dtype": "float32", "axes": "YXC"},
}
HOSTILE = [
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**400, 1e308, -1e308, 5e-324, float("nan"), float("inf"),
    "", "a", "\x00", "\udcff", "YXC" * 1000, "x" * 100_000, "__class__", "../../etc", "float32", "Resize", "O", "V99999999",
    [], [[]], {}, {"": {}}, [None] * 100, [1, 2, 3], {"a": 1}, [{"Resize": {"size": [1, 1]}}], {"Augment": []},
]  # fmt: skip


def archive(data: bytes, *, packed: int = zipfile.ZIP_STORED, name: str = MEMBER) -> bytes:
    """A ``.keras`` file as Keras lays it out, with this description."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packed) as whole:
        whole.writestr("metadata.json", "{}")
        whole.writestr("config.json", "{}")
        whole.writestr("model.weights.h5", bytes(300))
        whole.writestr(name, data)
    return file.getvalue()


def read(path: Path, data: bytes) -> Description | None:
    """Read a file; None where it is refused, by name, within a moment."""
    path.write_bytes(data)
    began = time.perf_counter()
    said = ""
    try:
        return read_description(path)
    except OffgraphError as error:
        said = str(error)
        return None
    finally:
        assert not said or (str(path) in said and len(said) < 5000), said[:300]
        assert time.perf_counter() - began < 2


def places(value: object, path: tuple = ()) -> list[tuple]:
    """Every place in a tree of JSON values."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in inner for place in places(part, (*path, key)))]


PLACES = places(GOOD)[1:]


def changed(draw: random.Random) -> object:
    """The good description with one to three places changed, removed or doubled."""
    value = copy.deepcopy(GOOD)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        *way, last = draw.choice(PLACES)
        part = value
        try:
            for key in way:
                part = part[key]
            what = draw.randrange(4)
            if what == 0:
                del part[last]
            elif what == 1 and isinstance(part, list):
                part.append(copy.deepcopy(part[last]))
            elif what == 2 and isinstance(part, dict):
                part[draw.choice(["x", "", "steps", "Augment", "id", last.upper()])] = part.pop(last)
            else:
                part[last] = copy.deepcopy(draw.choice(HOSTILE))
        except (KeyError, IndexError, TypeError, AttributeError):  # an earlier change took the place away
            continue
    return value


def spoiled(data: bytes, draw: random.Random) -> bytes:
    """Bytes with some of them changed, cut off, left out or doubled."""
    data = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 5, 20))):
        at = draw.randrange(max(len(data), 1))
        match draw.randrange(5):
            case 0:
                data[at : at + 1] = bytes([draw.randrange(256)])
            case 1:
                del data[at:]
            case 2:
                del data[at : at + draw.randrange(1, 30)]
            case 3:
                data[at:at] = data[at : at + draw.randrange(1, 30)]
            case 4:
                data[at : at + 4] = draw.choice(
                    (b"\xff\xff\xff\xff", b"\0\0\0\0", b"PK\x01\x02", b"\xff\xff\xff\x7f")
                )
    return bytes(data)


def test_the_good_file_is_read(tmp_path):
    found = read(tmp_path / "m.keras", archive(json.dumps(GOOD).encode()))
    assert found is not None and found.recipe.digest == RECIPE.digest and found.task == "segment"
    assert found.outputs == "probabilities" and found.class_names == ("background", "coin")


def test_a_file_of_before_is_still_read(tmp_path):
    """Files from before tasks other than classify and segment have neither outputs nor target names."""
    old = {key: value for key, value in GOOD.items() if key not in ("outputs", "target_names")}
    found = read(tmp_path / "m.keras", archive(json.dumps(old).encode()))
    assert found is not None and found.outputs is None and found.target_names == ()


@pytest.mark.parametrize("seed", range(4))
def test_changed_descriptions(tmp_path, seed):
    draw = random.Random(seed)
    found = [read(tmp_path / "m.keras", archive(json.dumps(changed(draw)).encode())) for _ in range(250)]
    assert sum(one is None for one in found) > 100, "most changes are noticed"
    assert sum(one is not None for one in found) > 5, "and some are harmless"


@pytest.mark.parametrize("seed", range(3))
def test_spoiled_descriptions(tmp_path, seed):
    draw = random.Random(seed)
    text = json.dumps(GOOD).encode()
    for _ in range(250):
        read(tmp_path / "m.keras", archive(spoiled(text, draw)))


@pytest.mark.parametrize(
    "packed", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_spoiled_archives(tmp_path, packed):
    draw = random.Random(packed)
    whole = archive(json.dumps(GOOD).encode(), packed=packed)
    known = packed in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    assert (read(tmp_path / "m.keras", whole) is not None) == known
    for _ in range(250):
        read(tmp_path / "m.keras", spoiled(whole, draw))


def test_truncation_at_every_tenth_byte(tmp_path):
    whole = archive(json.dumps(GOOD).encode(), packed=zipfile.ZIP_DEFLATED)
    for length in range(0, len(whole) - 1, 10):
        assert read(tmp_path / "m.keras", whole[:length]) is None


@pytest.mark.parametrize("packed", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_bombs(tmp_path, packed):
    """A description that unpacks to 40 MB from a few kilobytes is not unpacked whole."""
    import tracemalloc

    whole = archive(b" " * (40 << 20), packed=packed)
    tracemalloc.start()
    assert read(tmp_path / "m.keras", whole) is None
    assert tracemalloc.get_traced_memory()[1] < 36 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    "text",
    [
        b"", b"null", b"[]", b"1", b"\xff\xfe", b"{" * 100_000, b'{"a":' * 50_000, b"[" * 10_000 + b"]" * 10_000,
        b'{"offgraph": 1}', b'{"offgraph": true}', b'{"offgraph": 1.0, "task": "segment"}', b'{"offgraph": ' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_descriptions_that_are_none(tmp_path, text):
    assert read(tmp_path / "m.keras", archive(text)) is None


def test_odd_members(tmp_path):
    whole = json.dumps(GOOD).encode()
    assert read(tmp_path / "a.keras", archive(whole, name="OFFGRAPH.JSON")) is None
    assert read(tmp_path / "b.keras", archive(whole, name=f"../{MEMBER}")) is None
    locked = bytearray(archive(whole))
    locked[locked.rindex(b"PK\x01\x02") + 8] |= 1  # the flag of encryption
    assert read(tmp_path / "c.keras", bytes(locked)) is None
    (tmp_path / "d.keras").mkdir()
    with pytest.raises(OffgraphError, match=r"d\.keras: not a readable \.keras file"):
        read_description(tmp_path / "d.keras")
