"""Write docs/derivatives.md from the table of derivatives.

python docs/make_derivatives.py
"""

import inspect
from pathlib import Path

from tinygrad_nn.primitives import REWRITES, TABLE, Primitive, Trait

PAGE = Path(__file__).with_name("derivatives.md")

HEAD = """\
# Derivatives

Every row of the table: a function, and the cotangent that each of its arguments receives when
the output's is g. The output is y. Broadcast axes are summed away afterwards, for all rows at
once. `docs/conventions.md` says what is chosen where calculus leaves a choice. Rows whose names
begin with `tinygrad_nn` are met by way of NumPy (`x[i]`, `np.linalg.norm(x)`) or of this package
(`activations.relu`, `index_add`).

This page is generated from the table by `python docs/make_derivatives.py`.
"""

KINDS = {
    "elementwise": "Elementwise",
    "trigonometry": "Trigonometry",
    "choices": "Choices and steps",
    "reductions": "Reductions",
    "running": "Running sums and products",
    "products": "Products",
    "linalg": "Linear algebra",
    "decompositions": "Decompositions",
    "shaping": "Shapes",
    "rearranging": "Padding",
    "indexing": "Indexing",
    "windows": "Windows and convolutions",
}

COMPOSED = """\
## Composed functions

These are computed by rows of the table where a gradient is needed, and differentiated through
them, to any order. Elsewhere NumPy's own function runs. NumPy hands `full_like` and its kind over
only where their first argument is a Tensor.

| function | y |
| --- | --- |
"""


REFUSED = """\
## Refused

These write into an argument, which a recording cannot follow; the error says what to use instead:
"""


def page() -> str:
    """The whole page, as Markdown."""
    sections = [HEAD]
    for module, title in KINDS.items():
        rows = [row for row in TABLE.values() if kind(row) == module]
        lines = ["| function | y | cotangents | |", "| --- | --- | --- | --- |"]
        lines += [line(row) for row in rows]
        sections.append(f"## {title}\n\n" + "\n".join(lines) + "\n")
    refused = [r for r in REWRITES.values() if "refused" in r.formula]
    composed = [r for r in REWRITES.values() if r not in refused]
    lines = [f"| `{r.qualified_name}` | {escaped(r.formula)} |" for r in composed]
    sections.append(COMPOSED + "\n".join(sorted(lines)) + "\n")
    names = ", ".join(sorted(f"`{r.qualified_name}`" for r in refused))
    sections.append(f"{REFUSED}\n{names}.\n")
    return "\n".join(sections)


def kind(row: Primitive) -> str:
    """The module of the table that a row stands in."""
    rules = [cell.rule for cell in row.derivatives if cell]
    return rules[0].__module__.rpartition(".")[2] if rules else "elementwise"


def line(row: Primitive) -> str:
    """One row of the table, as a row of the page."""
    cells = " <br> ".join(
        f"{name}: {escaped(cell.formula) if cell else 'none'}"
        for name, cell in zip(arguments(row), row.derivatives, strict=True)
    )
    notes = [t.name.lower() for t in (Trait.LINEAR, Trait.VIEW, Trait.VARIADIC) if t in row.traits]
    return f"| `{row.qualified_name}` | {escaped(row.formula)} | {cells} | {', '.join(notes)} |"


def arguments(row: Primitive) -> list[str]:
    """What the formulas call the arguments: the names in the rules' own signatures."""
    if row.variadic:
        return ["aᵢ"]
    for cell in row.derivatives:
        if cell:
            named = [p.name for p in inspect.signature(cell.rule).parameters.values()]
            if len(named) >= 2 + row.arrays:
                return named[2 : 2 + row.arrays]
    return list("abc"[: row.arrays])


def escaped(text: str) -> str:
    """Text that Markdown leaves alone."""
    return text.replace("|", "\\|").replace("*", "\\*")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
