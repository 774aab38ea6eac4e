"""An SVG file as a part of an HTML page: only shapes and text, with names of its own."""

import re
import xml.etree.ElementTree as ElementTree
from xml.sax.saxutils import quoteattr

from ..._svg import escaped

__all__ = ["inline_svg"]

_SVG = "{http://www.w3.org/2000/svg}"
_SHAPES = {
    *("svg", "g", "defs", "text", "tspan", "path", "polygon", "polyline", "line", "rect"),
    *("circle", "ellipse", "linearGradient", "radialGradient", "stop", "clipPath", "marker", "use"),
}
_REFERENCE = re.compile(r"url\(#([^)]*)\)")
# Nothing runs but the page's own script, and its style is for nothing else.
_KEPT = re.compile(r"(?!on|class$)[a-z][A-Za-z0-9-]*", re.ASCII)
_FETCHED = re.compile(r"url\((?!#)")


def inline_svg(picture: str, prefix: str) -> str:
    """The svg element of a picture for a page that has other pictures too.

    Ids, and what refers to them, get a prefix. What is no shape or text is left out: links,
    scripts and styles, which would reach beyond the picture, and titles, in which Graphviz writes
    names of its own.

    Args:
        picture: an SVG file.
        prefix: of all ids.

    Example:
        >>> from tinygrad_nn.diagrams.movie.inline import inline_svg
        >>> inline_svg('<svg xmlns="http://www.w3.org/2000/svg"><g id="a"/></svg>', "x-")
        '<svg><g id="x-a"></g></svg>'
    """
    return _written(ElementTree.fromstring(picture), prefix)


def _written(element: ElementTree.Element, prefix: str) -> str:
    tag = str(element.tag).removeprefix(_SVG)
    if tag == "a":  # what it leads to is left out, not what it shows
        tag = "g"
    if tag not in _SHAPES:
        return ""
    attributes = []
    for name, value in element.attrib.items():
        if name == "{http://www.w3.org/1999/xlink}href":
            name = "href"
        if name == "href":
            if not value.startswith("#"):
                continue
            value = f"#{prefix}{value[1:]}"
        elif name == "id":
            value = prefix + value
        elif not _KEPT.fullmatch(name) or _FETCHED.search(value):
            continue
        value = _REFERENCE.sub(lambda found: f"url(#{prefix}{found[1]})", value)
        attributes.append(f" {name}={quoteattr(value)}")
    inside = [_text(element.text)]
    for child in element:
        inside += [_written(child, prefix), _text(child.tail)]
    return f"<{tag}{''.join(attributes)}>{''.join(inside)}</{tag}>"


def _text(text: str | None) -> str:
    """Text with its spaces that do not break, which keep columns apart; "" for blanks alone."""
    if text is None or not text.strip(" \n\t"):
        return ""
    return "\xa0".join(escaped(part, longest=None) for part in text.split("\xa0"))
