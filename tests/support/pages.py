"""Look at a page as a browser would: without one (html.parser), and with one (headless Chromium)."""

from __future__ import annotations

import base64
import io
import shutil
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image as PILImage

VOID = {"meta", "link", "img", "input", "br", "hr"}


@dataclass
class Page(HTMLParser):
    """The parts of a page that tests ask about."""

    path: Path
    images: list[dict[str, str | None]] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.source = self.path.read_text("utf-8")
        self.feed(self.source)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open and self._open.pop() == tag, f"</{tag}> closes nothing that is open"

    def handle_data(self, data):
        if self._open and self._open[-1] not in ("style", "script"):
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())

    def opened_images(self) -> list[PILImage.Image]:
        """Every image of the page, decoded from its own `data:` address."""
        opened = []
        for image in self.images:
            kind, _, data = (image["src"] or "").partition(",")
            assert kind == "data:image/png;base64", kind[:60]
            opened_image = PILImage.open(io.BytesIO(base64.b64decode(data, validate=True)))
            opened_image.load()
            assert opened_image.format == "PNG"
            assert (str(opened_image.width), str(opened_image.height)) == (image["width"], image["height"])
            opened.append(opened_image)
        return opened


def self_contained(path: Path) -> Page:
    """Parse a page and check what holds for every page: whole images, alternative texts, no request, no handler."""
    page = Page(path)
    page.opened_images()
    for image in page.images:
        assert image.get("alt"), "an image without alternative text"
    for tag, attributes in page.tags:
        assert tag not in ("iframe", "object", "embed", "base", "form"), tag
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "srcset", "action", "data"):
                assert value is not None and value.startswith(("data:", "#")), (tag, name, value[:80])
    assert "http://" not in page.source and "https://" not in page.source and "url(" not in page.source
    assert "@import" not in page.source
    return page


@pytest.fixture
def chromium():
    """A headless Chromium page with its console, its failures and its requests recorded."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no Chromium in PATH: pages are only parsed, not opened")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.trouble = []
        page.on("console", lambda message: page.trouble.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: page.trouble.append(str(error)))
        page.on("requestfailed", lambda request: page.trouble.append(request.url[:200]))
        yield page
        browser.close()


def open_page(chromium, path: Path, screenshot: Path | None = None) -> None:
    """Open a page and check that every image is there and that nothing complains."""
    chromium.goto(path.as_uri())
    widths = chromium.evaluate(
        "Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))"
    )
    assert all(width > 0 for width in widths)
    if screenshot is not None:
        chromium.screenshot(path=screenshot, full_page=True)
        assert screenshot.stat().st_size > 2000
    assert chromium.trouble == []
