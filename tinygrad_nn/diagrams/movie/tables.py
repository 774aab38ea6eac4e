"""Tables of the page, which scroll by themselves where they are wider than it."""

from collections.abc import Iterable

__all__ = ["wide_table"]


def wide_table(
    about: str, columns: Iterable[str], rows: Iterable[Iterable[str]], attributes: str = ""
) -> str:
    """A table with a heading for each column.

    Args:
        about: what it shows, for those who cannot see it.
        columns: the headings, as markup.
        rows: the cells of each row, as elements.
        attributes: of the table, as markup.
    """
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{about}"><table{attributes}>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
