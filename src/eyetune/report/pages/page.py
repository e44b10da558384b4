"""Pages: each is one HTML file that opens anywhere, also offline. What users wrote is escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from markupsafe import Markup

    from eyetune.report.figures.picture import Picture

_XLINK = "{http://www.w3.org/1999/xlink}"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_TALL_POINTS = 900  # the height from which a picture may be cut when the page is printed


@dataclass(frozen=True)
class Drawing:
    """A picture in a page.

    Attributes:
        svg: Its markup.
        caption: What it shows; written below it.
        width: In points; it is not shown larger.
        tall: Whether it may be cut when the page is printed.
        photo: Whether it holds photographs, which keep their colors in a dark page.
    """

    svg: Markup
    caption: str
    width: float
    tall: bool
    photo: bool


def render(template: str, context: Mapping[str, Any]) -> str:
    """Return a template filled with values, which are escaped.

    Args:
        template: Name of a template of the package, without ".html.j2".
        context: All values that the template uses.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("eyetune", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = _breakable
    return environment.get_template(f"{template}.html.j2").render(context)


def _breakable(name: str) -> Markup:
    """Return a name that a browser may break into lines after its separators."""
    from markupsafe import Markup, escape

    parts = re.findall(r"[^_./-]*[_./-]|[^_./-]+", name)
    return Markup("<wbr>").join(escape(part) for part in parts)


def drawing(picture: Picture, name: str, caption: str, *, photo: bool = False) -> Drawing:
    """Return a picture as a part of a page.

    Args:
        picture: The figure.
        name: A name that no other drawing of the page has; it keeps their ids apart.
        caption: What the picture shows.
        photo: Whether it holds photographs.
    """
    from eyetune.report.figures.picture import svg_bytes

    return embedded(svg_bytes(picture), name, caption, photo=photo)


def embedded(content: bytes, name: str, caption: str, *, photo: bool = False) -> Drawing:
    """Return the content of an SVG file as a part of a page.

    Args:
        content: The file's content.
        name: A name that no other drawing of the page has; it keeps their ids apart.
        caption: What the picture shows.
        photo: Whether it holds photographs.
    """
    from markupsafe import Markup

    root = ElementTree.fromstring(content)
    width, height = (float(size) for size in root.attrib["viewBox"].split()[2:])
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {
            _local_name(key): _prefixed(_local_name(key), value, name)
            for key, value in element.attrib.items()
        }
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.attrib |= {"role": "img", "aria-label": caption}
    # ElementTree escapes text and attributes, so what users wrote into labels is harmless.
    markup = Markup(ElementTree.tostring(root, encoding="unicode"))
    return Drawing(markup, caption, width, height > _TALL_POINTS, photo)


def _local_name(key: str) -> str:
    if key.startswith(_XLINK):
        return f"xlink:{key.removeprefix(_XLINK)}"
    return key.rpartition("}")[2]


def _prefixed(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key in ("href", "xlink:href") and value.startswith("#"):
        return f"#{name}-{value[1:]}"
    return _REFERENCE.sub(rf"url(#{name}-\1)", value)
