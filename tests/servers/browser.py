"""Debian's Chromium, driven by Playwright: pages in, pictures out; and how unlike two pictures are."""

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --force-color-profile=srgb --font-render-hinting=none"
)
CHROMIUM = shutil.which("chromium")


@contextmanager
def opened() -> Iterator[Any]:
    """A browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield browser
        browser.close()


def photograph(browser: Any, content: bytes, *, width: int, height: int, scheme: str = "light") -> bytes:
    """The top of a page as PNG."""
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.set_content(content.decode())
    page.evaluate("document.fonts.ready")
    taken: bytes = page.screenshot()
    page.close()
    return taken


def small(content: bytes, width: int = 128) -> bytes:
    """A picture shrunk until letters are grey: what is left is where things are and how they are coloured."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    shrunk = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.BOX)
    stream = io.BytesIO()
    shrunk.quantize(64).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def unlike(one: bytes, other: bytes) -> float:
    """The share of patches (8 by 8 points of small pictures) that differ visibly; 1 where the shapes do."""
    first, second = (
        np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), dtype=float) for content in (one, other)
    )
    if first.shape != second.shape:
        return 1.0
    high, wide = first.shape[0] // 8, first.shape[1] // 8
    apart = np.abs(first - second)[: high * 8, : wide * 8].reshape(high, 8, wide, 8, 3).mean(axis=(1, 3, 4))
    return float((apart > 12).mean())
