"""Memory that is kept from one recording to the next.

A graph is freed all at once. The C library of Linux hands so much freed memory back to the system,
and the next recording gets it again page by page, which may take longer than the arithmetic. How
much it keeps instead follows the largest block that it has seen freed, up to 32 MiB.
"""

import numpy as np

__all__ = ["keep_freed_memory"]

_LARGEST = 2**25 - 2**13  # in bytes: with its header and rounding it must not pass 32 MiB


def keep_freed_memory() -> None:
    """Show the C library a large block being freed, so that it keeps up to twice as much.

    The block is never written, so it takes no memory. Other C libraries learn nothing from it.
    """
    np.empty(_LARGEST, dtype=np.uint8)
