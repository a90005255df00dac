"""Files that go to the drive past the system's cache hold the bytes they were given, whatever the file system allows."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from offgraph.dataset import direct_file
from offgraph.dataset.direct_file import DirectFile

pytestmark = pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="this system has no O_DIRECT")

PIECES = 2 * direct_file._BLOCK
"""Bytes that are gathered in these tests: a few pieces make several writes."""

sizes = st.lists(st.integers(0, 3 * PIECES), max_size=8)


@pytest.fixture
def gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_file, "_GATHERED", PIECES)
    monkeypatch.setattr(direct_file, "_STARTED", 3 * PIECES)


def written(pieces: list[bytes]) -> tuple[bytes, bool]:
    """What a file holds after some writes, and whether any went past the cache."""
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "file"
        file, was_direct = DirectFile(path), False
        for piece in pieces:
            file.write(memoryview(piece))
            was_direct |= file.is_direct
        file.close()
        return path.read_bytes(), was_direct


def pieces_of(lengths: list[int]) -> list[bytes]:
    random = np.random.default_rng(sum(lengths))
    return [random.integers(0, 256, length, np.uint8).tobytes() for length in lengths]


@pytest.mark.usefixtures("gathered")
class TestBytes:
    @settings(deadline=None, max_examples=50)
    @given(sizes)
    @example([PIECES, PIECES])
    @example([PIECES - 1, 1, 1])
    @example([])
    def test_are_those_that_were_given(self, lengths: list[int]) -> None:
        pieces = pieces_of(lengths)
        assert written(pieces)[0] == b"".join(pieces)

    def test_a_file_system_without_direct_writes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        control = fcntl.fcntl

        def refusing(file: object, command: int, flags: int = 0) -> int:
            if command == fcntl.F_SETFL:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            return control(file, command, flags)  # type: ignore[arg-type]

        monkeypatch.setattr(fcntl, "fcntl", refusing)
        pieces = pieces_of([5 * PIECES, 17])
        assert written(pieces) == (b"".join(pieces), False)

    def test_a_file_system_that_takes_the_flag_and_no_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        write, refused = os.write, []

        def refusing(descriptor: int, data: memoryview) -> int:
            if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT:
                refused.append(len(data))
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            return write(descriptor, data)

        monkeypatch.setattr(os, "write", refusing)
        pieces = pieces_of([3 * PIECES, 17])
        assert written(pieces)[0] == b"".join(pieces)
        assert len(refused) <= 1  # it is not asked again

    @pytest.mark.parametrize("most", [direct_file._BLOCK, 1000])
    def test_short_writes(self, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
        write = os.write
        monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:most]))
        pieces = pieces_of([3 * PIECES, 17])
        assert written(pieces)[0] == b"".join(pieces)

    def test_an_error_of_the_drive_is_raised(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        def full(descriptor: int, data: memoryview) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "write", full)
        file = DirectFile(tmp_path / "file")
        with pytest.raises(OSError, match="No space"):
            file.write(memoryview(bytes(PIECES)))
        file.write(memoryview(bytes(5)))  # as whoever closes a file of its own in this one does
        with pytest.raises(OSError, match="No space"):
            file.close()
        file.close()  # it is closed, and has nothing left to write

    def test_a_file_that_is_not_kept_is_closed_without_another_write(self, tmp_path: Path) -> None:
        file = DirectFile(tmp_path / "file")
        file.write(memoryview(bytes(PIECES + 5)))
        file.close(whole=False)
        file.close()
        assert (tmp_path / "file").stat().st_size == PIECES


@pytest.mark.skipif(sys.platform != "linux", reason="file systems of Linux")
def test_the_cache_is_left_out_where_the_file_system_allows_it(tmp_path: Path) -> None:
    path = tmp_path / "probe"
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_DIRECT))
    except OSError:
        pytest.skip("this file system knows no direct writes")
    file = DirectFile(tmp_path / "file")
    file.write(memoryview(bytes(direct_file._GATHERED)))
    assert file.is_direct
    file.close()
