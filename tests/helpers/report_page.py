"""A report read back: its rows, its scripts, and what it shows of each plane."""

import base64
import json
import sys
import zlib
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

# A name that is a tag where it is not escaped.
HOSTILE = "<img src=x onerror=alert(1)>.tif" if sys.platform != "win32" else "&lt;b&gt; 'x'.tif"


@dataclass
class Page(HTMLParser):
    """The elements of a page in their order.

    Attributes
    ----------
    elements : list of (str, dict)
        Name and attributes of each.
    texts : list of str
        Text of each script, by its place among the scripts.
    words : str
        Text of the page without its scripts.
    """

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    words: str = ""

    @classmethod
    def read(cls, path: Path) -> "Page":
        page = cls()
        HTMLParser.__init__(page)
        page.feed(path.read_text(encoding="utf-8"))
        page.close()
        return page

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.texts.append("")

    def handle_data(self, data):
        if self.cdata_elem == "script":
            self.texts[-1] += data
        else:
            self.words += data

    @property
    def scripts(self) -> list[tuple[dict[str, str | None], str]]:
        """Attributes and text of each script."""
        return list(zip([has for tag, has in self.elements if tag == "script"], self.texts, strict=True))

    @property
    def rows(self) -> list[dict[str, str | None]]:
        """Attributes of the rows of the table of images, in their order."""
        return [has for tag, has in self.elements if tag == "tr" and "data-key" in has]

    @property
    def images(self) -> list[str]:
        """Names of the images in the table, in its order, with their position."""
        return [str(has["data-value"]) for tag, has in self.elements if tag == "th" and "data-value" in has]

    @property
    def planes(self) -> dict[int, dict[str, Any]]:
        """What is shown of each plane, by its key."""
        return {
            int(str(has["id"]).removeprefix("plane-")): json.loads(text)
            for has, text in self.scripts
            if str(has.get("id")).startswith("plane-")
        }


def unpacked(beads: str) -> dict[str, Any]:
    """Return the beads of a plane."""
    return json.loads(zlib.decompress(base64.b64decode(beads)))
