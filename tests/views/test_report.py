"""One HTML file: whole by itself, safe with the worst of file names, readable by everyone."""

from __future__ import annotations

import re

import numpy as np
import pytest
from skimage import data
from tests.support.pages import chromium, open_page, self_contained  # noqa: F401  (chromium is a fixture)

from offgraph.core.errors import OffgraphError
from offgraph.views import draw
from offgraph.views.html import Figure, Report

HOSTILE = [
    "<img src=x onerror=alert(1)>.png",
    "</script><script>alert(1)</script>.png",
    "\"' onmouseover='alert(1)'.png",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}.png",
    "a" * 200 + ".png",
    "写真 صورة 🙂 Ünïcode.png",
    "line\nbreak\x00\x1b[31m.png",
    "\udcff\udcfe.png",
    "&lt;b&gt;",
]


def _report(names: list[str] = HOSTILE, *, linked: bool = False) -> Report:
    page = Report(names[0], f"{len(names)} images, {names[1]}")
    for heading in ("Overview", "Images", names[0], "Files set aside"):
        page.section(heading, f"About {names[1]}.\n\nAnd on.")
    page.facts([("images", 1797), (names[0], 0.98765), ("seconds", 1.5)])
    image = draw.fit(data.astronaut(), 160)
    marks = ["", "right", "wrong"]
    page.figures(
        [Figure(image, name, f"drawn: {name}", mark=marks[i % 3]) for i, name in enumerate(names)],
        linked=linked,
        columns=4 if linked else None,
    )
    page.figures([Figure(draw.to_rgb(np.eye(8)), alt="eye")], pixels=True)
    page.table(
        ["file", "reason", "bytes", "share"], [[name, name, 10**6, 0.123456] for name in names], names[0]
    )
    page.code("steps:\n  - Rotate: {angle: [-15, 15]}  # " + names[0])
    return page


@pytest.mark.parametrize("linked", [False, True])
def test_hostile_names_stay_text(tmp_path, linked):
    page = self_contained(_report(linked=linked).save(tmp_path / "page.html"))
    assert len(page.images) == len(HOSTILE) + 1
    scripts = [tag for tag, _ in page.tags if tag == "script"]
    assert len(scripts) == (1 if linked else 0)
    assert HOSTILE[0] in page.words and HOSTILE[4] in page.words and "49" not in page.words
    assert HOSTILE[6] in page.words
    assert any(HOSTILE[2] in (image["alt"] or "") for image in page.images)
    assert "\x00" not in page.source and "\x1b" not in page.source


def test_the_policy_names_the_style_and_the_script_and_nothing_else(tmp_path):
    page = self_contained(_report(linked=True).save(tmp_path / "page.html"))
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert len(re.findall(r"'sha256-[A-Za-z0-9+/]{43}='", policy)) == 2


def test_numbers_are_written_for_readers(tmp_path):
    words = self_contained(_report().save(tmp_path / "page.html")).words
    assert "1,797" in words and "0.9877" in words and "1,000,000" in words and "0.1235" in words


def test_the_same_report_gives_the_same_bytes(tmp_path):
    assert _report().html() == _report().html()


def test_structure_for_screen_readers(tmp_path):
    page = self_contained(_report(linked=True).save(tmp_path / "page.html"))
    tags = [tag for tag, _ in page.tags]
    assert tags.count("h1") == 1 and tags.count("main") == 1 and tags.count("nav") == 1
    assert ("html", {"lang": "en"}) in page.tags
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [a["href"] for tag, a in page.tags if tag == "a"]
    assert all(link is not None and link[1:] in ids for link in links)
    assert all(a.get("scope") == "col" for tag, a in page.tags if tag == "th")
    signs = [a["aria-label"] for tag, a in page.tags if a.get("class") == "sign"]
    assert "wrong" in signs and "right" in signs


def test_saving_is_atomic_and_errors_name_the_file(tmp_path):
    path = _report(["a", "b"]).save(tmp_path / "deep" / "page.html")
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]
    first = path.read_bytes()
    _report(["c", "d"]).save(path)
    assert path.read_bytes() != first
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OffgraphError, match=r"page\.html: the page cannot be written"):
        _report(["a", "b"]).save(tmp_path / "file" / "page.html")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(OffgraphError, match=r"folder\.html"):
        _report(["a", "b"]).save(tmp_path / "folder.html")
    assert not list(tmp_path.glob(".offgraph-*"))


def test_what_does_not_fit_is_told():
    page = Report("x")
    with pytest.raises(OffgraphError, match="2 cells in a table of 1 columns"):
        page.table(["a"], [[1, 2]])
    with pytest.raises(OffgraphError, match="1 to 8 columns"):
        page.figures([], columns=9)


def test_an_empty_report_is_a_page(tmp_path):
    page = Report("Nothing yet")
    page.table(["file"], [])
    page.figures([])
    assert "Nothing yet" in self_contained(page.save(tmp_path / "page.html")).words


def test_in_chromium(tmp_path, chromium):  # noqa: F811
    path = _report(linked=True).save(tmp_path / "page.html")
    open_page(chromium, path, tmp_path / "page.png")
    lens = chromium.locator(".lens").nth(1)
    transforms = "[...document.querySelectorAll('.lens img')].map(i => i.style.transform)"
    assert set(chromium.evaluate(transforms)) == {""}
    lens.focus()
    chromium.keyboard.press("+")
    chromium.keyboard.press("ArrowRight")
    moved = chromium.evaluate(transforms)
    assert len(set(moved)) == 1 and moved[0].startswith("scale(1.5) translate(-")
    chromium.locator("[data-do=flip]").click()
    assert (
        len(chromium.evaluate("[...new Set([...document.querySelectorAll('.lens img')].map(i => i.src))]"))
        == 1
    )
    lens.focus()
    chromium.keyboard.press("0")
    assert set(chromium.evaluate(transforms)) == {""}
    chromium.set_viewport_size({"width": 360, "height": 740})
    assert chromium.evaluate("document.documentElement.scrollWidth") <= 360
    assert chromium.trouble == []
