"""What is no path, no count and no list is refused by the argument's name, at every door."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

import offgraph as og

IMAGE = np.zeros((4, 4), np.uint8)
RECIPE = og.Compose([og.Resize((4, 4))])
TAKES_PATHS = {
    "imread": lambda photos, odd: og.imread(odd),
    "imwrite": lambda photos, odd: og.imwrite(odd, IMAGE),
    "open_source": lambda photos, odd: og.open_source(odd),
    "open_source, masks": lambda photos, odd: og.open_source(photos, masks=odd),
    "Loader": lambda photos, odd: og.Loader(odd),
    "split": lambda photos, odd: og.split(odd),
    "build": lambda photos, odd: og.build(photos, odd, RECIPE),
    "preview": lambda photos, odd: og.preview(photos, RECIPE, odd),
    "compare": lambda photos, odd: og.compare(odd, "MedianFilter.size=3", photos / "a.html"),
    "compare, out": lambda photos, odd: og.compare(IMAGE, "MedianFilter.size=3", odd),
    "doctor": lambda photos, odd: og.doctor(odd),
    "load": lambda photos, odd: og.load(odd),
    "save_predictions": lambda photos, odd: og.save_predictions([], odd),
    "Compose.from_yaml": lambda photos, odd: og.Compose.from_yaml(odd),
    "Report.save": lambda photos, odd: og.Report("a").save(odd),
}


@pytest.fixture
def photos(tmp_path):
    og.imwrite(tmp_path / "a.png", IMAGE)
    return tmp_path


@pytest.mark.parametrize("odd", [3, None, [], IMAGE, "a\0b.png"], ids=["3", "None", "list", "array", "NUL"])
@pytest.mark.parametrize("call", TAKES_PATHS.values(), ids=TAKES_PATHS)
def test_what_is_no_path(call, odd, photos):
    if odd is None and call is TAKES_PATHS["open_source, masks"]:
        return  # no masks
    if odd is IMAGE and call is TAKES_PATHS["compare"]:
        return  # an image
    with pytest.raises(
        (og.ArgumentError, og.SourceError),
        match=r"(?s)^(source( is an array|=)|(masks|image|path\w*|out)=).*give a path",
    ):
        call(photos, odd)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda photos: og.preview(photos, RECIPE, photos / "a.html", n="a"), "n='a'"),
        (lambda photos: og.compare(IMAGE, 3, photos / "a.html"), "vary=3"),
        (lambda photos: og.save_predictions(None, photos / "out"), "predictions=None"),
        (lambda photos: og.save_predictions([IMAGE], photos / "out"), r"predictions=\[array"),
        (lambda photos: og.doctor(photos, workers="a"), "workers='a'"),
    ],
)
def test_what_is_something_else(call, says, photos):
    with pytest.raises(og.ArgumentError, match=says):
        call(photos)


@pytest.mark.parametrize("odd", [0, -1, True, 1e9, "10", None], ids=repr)
def test_a_limit_on_pixels_that_is_none(odd, photos):
    with pytest.raises(og.ArgumentError, match=r"max_pixels=.*give a whole number of at least 1"):
        og.imread(photos / "a.png", max_pixels=odd)
    with pytest.raises(og.SourceError, match=r"max_pixels=.*give a whole number of at least 1"):
        og.open_source(photos, max_pixels=odd)
    record = RECIPE(image=IMAGE).record
    for call in (RECIPE, lambda **given: RECIPE.replay(record, **given)):
        with pytest.raises(og.ArgumentError, match=r"max_pixels=.*give a whole number of at least 1"):
            call(image=IMAGE, max_pixels=odd)


def test_a_limit_on_pixels_is_any_whole_number(tmp_path):
    """NumPy's passes through JSON too: on the way to a decoder's process, and into a dataset's description."""
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, compression="zstd")
    assert og.imread(tmp_path / "a.tif", max_pixels=np.int64(16)).shape == (4, 4)
    source = og.open_source(tmp_path, max_pixels=np.uint32(16))
    report = og.build(source, tmp_path.with_name("dataset"), RECIPE, progress=False)
    assert (report.examples, report.quarantined) == (1, ())
