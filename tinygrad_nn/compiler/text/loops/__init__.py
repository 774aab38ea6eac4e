"""Blocks as text for the target at hand, and what their texts have in common."""

import re
from collections.abc import Sequence

from ...blocks.block import Block
from ..names import Names
from .block_text import SHARED_NAMES, BlockText, shared_text
from .numba_text import NUMBA_NAMES, NumbaText, numba_shared_text

__all__ = ["LOOP_NAMES", "block_text", "head_of"]

LOOP_NAMES = (*SHARED_NAMES, *NUMBA_NAMES)


def block_text(block: Block, names: Names) -> BlockText | NumbaText:
    """The text of a block, in which everything has a name that nothing else has."""
    return (NumbaText if block.scalar else BlockText)(block, names)


def head_of(texts: Sequence[BlockText | NumbaText]) -> tuple[list[str], list[str]]:
    """The imports, without NumPy's, and the functions and loops of a program."""
    imports, lines = shared_text([t for t in texts if isinstance(t, BlockText)])
    compiled = [t for t in texts if isinstance(t, NumbaText)]
    if compiled:
        more, functions = numba_shared_text(compiled)
        imports, lines = [*imports, *more], [*lines, *functions]
    for text in texts:
        lines += ["", *text.lines, ""]
    spaced = re.sub(r"\n{4,}", "\n\n\n", "\n".join(lines)).strip("\n")
    return imports, ["", spaced, ""] if lines else []
