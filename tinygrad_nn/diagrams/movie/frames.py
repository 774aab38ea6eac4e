"""What changes on the page from epoch to epoch: elements, and their values in each frame.

Everything is drawn here, once. The script of the page puts the values of a frame in place, and
knows nothing else; without it, the page shows the last frame.
"""

from collections.abc import Mapping, Sequence

from ..._svg import escaped
from ..inlined import as_json

__all__ = ["Frames", "whole"]

Varying = str | Sequence[str]  # one value for all frames, or one for each


class Frames:
    """The values of all frames, collected while elements are written.

    Args:
        count: how many frames there are.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._values: list[Sequence[str]] = []

    def element(
        self, tag: str, attributes: Mapping[str, Varying], text: Varying | None = None
    ) -> str:
        """An element as it is in the last frame, with a mark for the script where it changes.

        Args:
            tag: as in HTML and SVG.
            attributes: by name.
            text: what stands in it, plain text; None for an SVG element that holds nothing.
        """
        written: list[str] = []
        moves: list[str] = []
        for name, value in attributes.items():
            written.append(f' {name}="{whole(self._last(name, value, moves))}"')
        inside = "" if text is None else whole(self._last("text", text, moves))
        if moves:
            written.append(f' data-moves="{" ".join(moves)}"')
        end = "/>" if text is None else f">{inside}</{tag}>"
        return f"<{tag}{''.join(written)}{end}"

    def _last(self, name: str, value: Varying, moves: list[str]) -> str:
        if isinstance(value, str):
            return value
        if any(one != value[-1] for one in value):
            moves.append(f"{name}:{len(self._values)}")
            self._values.append(value)
        return value[-1]

    def json(self) -> str:
        """The values as JSON that can stand inside a script element, whatever they hold."""
        return as_json([list(values) for values in self._values])


def whole(text: str) -> str:
    """Text for markup, as long as it is."""
    return escaped(text, longest=None)
