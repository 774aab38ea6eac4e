"""Check the docs: links and citations lead somewhere, and pages that are generated are fresh.

python docs/check.py
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from make_derivatives import PAGE, page
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def broken_links() -> Iterator[str]:
    """Relative links and pictures whose target is not there."""
    for document in PAGES:
        for token in MarkdownIt().parse(document.read_text(encoding="utf-8")):
            for child in token.children or []:
                target = child.attrGet("href") or child.attrGet("src")
                if not isinstance(target, str) or re.match(r"https?:|#|mailto:", target):
                    continue
                if not (document.parent / target.partition("#")[0]).exists():
                    yield f"{document.relative_to(ROOT)}: no such target: {target}"


def missing_references() -> Iterator[str]:
    """Works that a docstring cites and the list of references does not have."""
    listed = set(re.findall(r"\*\*\[(\w+)\]\*\*", (ROOT / "docs/references.md").read_text("utf-8")))
    for module in sorted((ROOT / "tinygrad_nn").rglob("*.py")):
        cited = re.findall(r"\[([A-Z][a-z]+\d{4}|nnfs)\]", module.read_text(encoding="utf-8"))
        for key in sorted(set(cited) - listed):
            yield f"{module.relative_to(ROOT)}: cites [{key}], which docs/references.md lacks"


def stale_pages() -> Iterator[str]:
    """Generated pages that differ from what would be generated now."""
    if PAGE.read_text(encoding="utf-8") != page():
        yield "docs/derivatives.md is stale: run python docs/make_derivatives.py"


def main() -> int:
    """Print every finding; return how many there are, at most 1."""
    findings = [*broken_links(), *missing_references(), *stale_pages()]
    print("\n".join(findings) or f"the docs hold: {len(PAGES)} pages")
    return min(len(findings), 1)


if __name__ == "__main__":
    sys.exit(main())
