"""Check the built site: each link leads somewhere, and nothing is loaded from the internet.

python tools/check_site.py build/site
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {"script": "src", "img": "src", "iframe": "src", "video": "src", "source": "src"}
_LOADING_LINKS = {"stylesheet", "icon", "preload", "preconnect", "modulepreload", "manifest"}


class _Page(HTMLParser):
    """The names of a page, its links, and the files that it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.names |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in _LOADED and values.get(_LOADED[tag]):
            self.loaded.append(values[_LOADED[tag]])
        if tag == "link" and _LOADING_LINKS & set(values.get("rel", "").split()):
            self.loaded.append(values.get("href", ""))


def problems(site: Path) -> Iterator[str]:
    """Yield what is wrong with a built site, a sentence each.

    Args:
        site: Its folder.
    """
    pages = {path.resolve(): _Page(path) for path in sorted(site.rglob("*.html"))}
    if not pages:
        yield f"{site} has no pages"
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        if name.name == "404.html":  # is shown at any depth, so its links begin with /
            continue
        yield from (f"{name} loads {problem}" for problem in _unloadable(path, page))
        yield from (f"{name} links to {problem}" for problem in _broken_links(path, page, pages))


def _unloadable(path: Path, page: _Page) -> Iterator[str]:
    for address in page.loaded:
        if urlsplit(address).netloc:
            yield f"{address} from the internet"
        elif not address.startswith("data:") and not _target(path, address).is_file():
            yield f"{address}, which does not exist"


def _broken_links(path: Path, page: _Page, pages: Mapping[Path, _Page]) -> Iterator[str]:
    for address in page.links:
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue
        target = _target(path, address)
        target = target / "index.html" if target.is_dir() else target
        names = pages[target].names if target in pages else {unquote(parts.fragment)}
        if not target.is_file():
            yield f"{address}, which does not exist"
        elif parts.fragment and unquote(parts.fragment) not in names:
            yield f"{address}, which has no such heading"


def _target(page: Path, address: str) -> Path:
    path = unquote(urlsplit(address).path)
    return (page.parent / path).resolve() if path else page


if __name__ == "__main__":
    found = list(problems(Path(sys.argv[1])))
    print(
        "\n".join(found) or "Every link leads somewhere, and nothing is loaded from the internet."
    )
    sys.exit(bool(found))
