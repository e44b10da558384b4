"""Pages: each is one HTML file that opens anywhere, also offline. What users wrote is escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree  # nosec B405  # see embedded

from eyetune.errors import DataError
from eyetune.inputs.damage import explaining_damage
from eyetune.values.display import lines

if TYPE_CHECKING:
    from markupsafe import Markup

    from eyetune.report.figures.picture import Picture

_XLINK = "{http://www.w3.org/1999/xlink}"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
# What drawings consist of, of https://www.w3.org/TR/SVG2/eltindex.html
_ELEMENTS = frozenset(
    {"svg", "g", "defs", "symbol", "use", "clipPath", "mask", "pattern", "marker", "path", "rect"}
    | {"circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "image", "title"}
    | {"desc", "linearGradient", "radialGradient", "stop"}
)
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
        finalize=_shown,
    )
    environment.filters["breakable"] = _breakable
    return environment.get_template(f"{template}.html.j2").render(context)


def _shown(value: Any) -> Any:
    """Return what a template prints: text of users without control characters; markup as it is."""
    return lines(value) if type(value) is str else value


def _breakable(name: str) -> Markup:
    """Return a name that a browser may break into lines after its separators."""
    from markupsafe import Markup, escape

    parts = re.findall(r"[^_./-]*[_./-]|[^_./-]+", name)
    return Markup("<wbr>").join(escape(lines(part)) for part in parts)


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

    The file may be someone else's. Elements and attributes that no drawing needs are left out, such
    as scripts and links to other pages.

    Args:
        content: The file's content.
        name: A name that no other drawing of the page has; it keeps their ids apart.
        caption: What the picture shows.
        photo: Whether it holds photographs.

    Raises:
        DataError: It is no SVG file of a known size.
    """

    def damaged(reason: str) -> DataError:
        return DataError(
            f"The picture {name} cannot be shown.",
            expected="an SVG file with a viewBox",
            received=reason,
        )

    with explaining_damage(damaged):  # also elements inside of each other, thousands deep
        return _embedded(content, name, caption, photo=photo)


def _embedded(content: bytes, name: str, caption: str, *, photo: bool) -> Drawing:
    from markupsafe import Markup

    root = ElementTree.fromstring(content)  # nosec B314  # expat limits what entities expand to
    width, height = (float(size) for size in root.attrib["viewBox"].split()[2:])
    for parent in list(root.iter()):
        for child in list(parent):
            if _local_name(child.tag) not in _ELEMENTS:
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {
            _local_name(key): _prefixed(_local_name(key), value, name)
            for key, value in element.attrib.items()
            if _is_drawn(_local_name(key), value)
        }
    root.tag = "svg"
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.attrib |= {"role": "img", "aria-label": caption}
    # ElementTree escapes text and attributes, so what users wrote into labels is harmless.
    text = ElementTree.tostring(root, encoding="unicode")
    markup = Markup(text)  # nosec B704  # as said above
    return Drawing(markup, caption, width, height > _TALL_POINTS, photo)


def _is_drawn(key: str, value: str) -> bool:
    """Return whether an attribute draws something, and neither runs nor loads anything."""
    if key.lower().startswith("on"):
        return False
    if key in ("href", "xlink:href"):
        return value.startswith(("#", "data:image/png;base64,", "data:image/jpeg;base64,"))
    # CSS can write url( with backslashes, too.
    num_urls = value.lower().count("url(")
    return num_urls == len(_REFERENCE.findall(value)) and "\\" not in value


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
