"""Memory that two processes share: never given out while either of them has an array in it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offgraph.pipeline.channel import Channel, ChannelClosed
from offgraph.pipeline.shared import BorrowedBuffers, Returns, SharedBuffers, read_returns


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["make", "drop", "lend", "unseen", "return"]), st.integers(0, 9)),
        max_size=60,
    )
)
def test_nobody_writes_into_what_somebody_has(moves: list[tuple[str, int]]) -> None:
    buffers, given_back = SharedBuffers(2), []
    borrowed = BorrowedBuffers(given_back.append)
    made: list[tuple[np.ndarray, int]] = []
    taken: list[tuple[np.ndarray, int]] = []
    for value, (move, place) in enumerate(moves):
        if move == "make":
            array = buffers.empty((3, 1 + place), np.dtype(np.int32))
            array[:] = value
            made.append((array, value))
        elif move == "drop" and made:
            made.pop(place % len(made))
        elif move == "return" and taken:
            taken.pop(place % len(taken))
        elif move in ("lend", "unseen") and made:
            array, held = made[place % len(made)]
            location, handle = buffers.lend(array)
            if move == "unseen":  # the frame was never read
                buffers.returned(location.segment, unseen=True)
                continue
            if handle is not None:
                borrowed.map(location.segment, handle)
                buffers.received(location.segment)
            borrowed.discard(buffers.take_discarded())
            taken.append((borrowed.array(location, array.shape, array.dtype), held))
        while given_back:
            buffers.returned(given_back.pop())
        for array, held in (*made, *taken):
            assert (array == held).all()


def test_file_descriptors_are_closed() -> None:
    listed = Path("/proc/self/fd")
    if not listed.exists():
        pytest.skip("this system does not list them")

    def count() -> int:
        return len(list(listed.iterdir()))

    before = count()
    buffers = SharedBuffers(2)
    arrays = [buffers.empty((100,), np.dtype(np.uint8)) for _ in range(10)]
    del arrays
    held = buffers.empty((1000,), np.dtype(np.uint8))
    assert count() <= before + 2 * 3  # two are kept
    del buffers
    held[:] = 1  # its memory stays
    del held
    assert count() == before


def test_frames_arrive_in_order_with_their_descriptors() -> None:
    here, there = socket.socketpair()
    one, other = Channel(here), Channel(there)
    reading, writing = os.pipe()
    one.send({"first": 1}, b"body")
    one.send({"second": [2.5, None]}, b"", [reading])
    one.send({"third": "ü"}, bytes(100))
    assert other.receive() == ({"first": 1}, b"body", [])
    header, body, (handle,) = other.receive()
    assert header == {"second": [2.5, None]} and body == b""
    assert not os.get_inheritable(handle)
    os.write(writing, b"x")
    assert os.read(handle, 1) == b"x"
    one.send({"fourth": 4})
    assert not other.pending
    assert other.receive().body == bytes(100)
    assert other.pending  # both were there
    assert other.receive().header == {"fourth": 4}
    assert not other.pending
    other.signal()
    other.signal()
    assert one.signals() == 2
    one.close()
    with pytest.raises(ChannelClosed):
        other.receive()
    assert other.signals() == 0
    with pytest.raises(ChannelClosed):
        other.send({}, bytes(1 << 20))
    for number in (reading, writing, handle):
        os.close(number)
    other.close()


def test_what_is_given_back_comes_in_order() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    returns = Returns(writing)
    for number in range(600):
        returns.give(number % 2, number)
    found = list(read_returns(reading))
    assert 0 < len(found) <= 600
    for number in range(600, 1203):
        returns.give(number % 2, number)
    returns.flush()
    found += read_returns(reading)
    assert found == [(number % 2, number) for number in range(1203)]
    assert list(read_returns(reading)) == []
    os.close(reading)
    returns.give(0, 1)  # nobody hears it
