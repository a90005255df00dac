"""Maps of what an answer depends on, against a loop over pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offgraph.inspection.errors.occlusion import occluded, occlusion_map, windows


@given(st.lists(st.integers(1, 30), min_size=1, max_size=3), st.integers(1, 9))
def test_windows_cover_the_grid_evenly(size, cells):
    parts = windows(size, cells)
    assert len(parts) == np.prod([min(cells, length) for length in size])
    covered = np.zeros(size, int)
    for part in parts:
        assert covered[part].size > 0
        covered[part] += 1
    assert covered.min() >= 1 and covered.max() <= 3 ** len(size)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["YX", "YXC", "CYX", "ZYX"]), st.integers(1, 4))
def test_the_map_is_the_mean_over_the_windows_of_a_pixel(seed, axes, cells):
    rng = np.random.default_rng(seed)
    shape = tuple(2 if axis == "C" else int(rng.integers(1, 7)) for axis in axes)
    image, weights = rng.integers(0, 256, shape, np.uint8), rng.normal(size=shape)
    spatial = [place for place, axis in enumerate(axes) if axis != "C"]
    size = [shape[place] for place in spatial]

    def answer(images):
        assert all(one.dtype == np.uint8 and one.shape == shape for one in images)
        return [float((one * weights).sum()) for one in images]

    found = occlusion_map(image, axes, answer, cells=cells, batch=3)
    mean = np.rint(image.mean(axis=tuple(spatial), keepdims=True))
    expected = np.zeros(size)
    for pixel in np.ndindex(*size):
        falls = []
        for window in windows(size, cells):
            if all(part.start <= at < part.stop for part, at in zip(window, pixel)):
                hidden = np.zeros(size, bool)
                hidden[window] = True
                where = np.broadcast_to(
                    np.expand_dims(hidden, [i for i in range(len(axes)) if i not in spatial]), shape
                )
                falls.append(((image - np.where(where, mean, image)) * weights).sum())
        expected[pixel] = np.mean(falls)
    assert found.dtype == np.float32 and np.allclose(found, expected, rtol=1e-4, atol=1e-2)


def test_what_is_hidden_has_the_mean_of_its_channel():
    image = np.stack([np.arange(6.0).reshape(2, 3), np.full((2, 3), 9.0)], axis=-1).astype(np.float32)
    hidden = occluded(image, "YXC", (slice(0, 1), slice(1, 3)))
    assert hidden[0, 1:].tolist() == [[2.5, 9.0], [2.5, 9.0]]
    assert np.array_equal(hidden[1], image[1]) and image[0, 1, 0] == 1  # the image itself stays


def test_red_is_where_the_answer_comes_from():
    image = np.zeros((32, 32), np.uint8)
    image[4:10, 20:26] = 255
    found = occlusion_map(image, "YX", lambda images: [float(one.max()) for one in images], cells=8)
    assert found[4:10, 20:26].min() > 0 and found[20:, :].max() == 0


def test_an_image_without_pixels_has_a_map_without_pixels():
    def never(images):
        pytest.fail("nothing can be hidden")

    assert occlusion_map(np.zeros((0, 4), np.uint8), "YX", never).shape == (0, 4)
