"""What pages have within themselves: styles and scripts of this package, and data as JSON."""

import json
from importlib.resources import files
from typing import Any

__all__ = ["as_json", "encodable", "file_text"]

_IN_SCRIPTS = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def as_json(data: Any) -> str:
    """Strict JSON for a script element, which nothing in it can end."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return encodable(text).translate(_IN_SCRIPTS)


def encodable(text: str) -> str:
    """The text without halves of characters, which UTF-8 has not."""
    return text.encode("utf-8", "backslashreplace").decode()


def file_text(package: str, name: str) -> str:
    """The text of a file that lies in a package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")
