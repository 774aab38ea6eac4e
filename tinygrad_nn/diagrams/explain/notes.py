"""What has to be said of a gradient beside its numbers, where they are not all the same."""

from typing import Any

import numpy as np

from ...autograd import Node
from ...verify.verdicts import Element, Verdict
from ..labels import number

__all__ = ["collected", "disagreement", "lost_digits", "uncertainty"]


def disagreement(
    total: float, gradient: float, products: float, dtype: Any, nodes: int
) -> tuple[str, ...]:
    """What to say where the sum over paths is not what backward computed."""
    size = max(abs(total), abs(gradient), products)
    near = float(np.finfo(dtype).eps) * (1e4 + 10 * nodes) * size
    same = total == gradient or (np.isnan(total) and np.isnan(gradient))
    if same or abs(total - gradient) <= near:
        return ()
    if np.isfinite(gradient) and not np.isfinite(total):
        return (
            f"the sum over paths is {number(total)}, and backward says {number(gradient)}: a "
            f"derivative on a path is not finite. Backward leaves out what the program did not "
            f"select, as in an unselected branch of np.where, and 0·∞ at singular points.",
        )
    return (
        f"the sum over paths, {number(total, 6)}, is not what backward says, "
        f"{number(gradient, 6)}: a derivative on the way is not linear in its cotangent.",
    )


def collected(node: Node, found: float, place: tuple[int, ...]) -> tuple[str, ...]:
    """What a leaf has collected, if that is something else than this graph gives."""
    held = None if node.leaf is None else node.leaf.grad
    if held is None:
        return ()
    value = float(np.asarray(held)[place])
    if value == found or abs(value - found) <= 1e-5 * max(abs(value), abs(found)):
        return ()
    return (
        f".grad holds {number(value)}: it adds up what every call of backward brought, from other "
        f"results as well.",
    )


def uncertainty(found: Element | None) -> tuple[str, ...]:
    """The slopes to either side of a kink, and what it means that none can be trusted."""
    if found is not None and found.verdict is Verdict.UNSTABLE and np.isfinite(found.numeric):
        return ("no finite difference can be trusted here: rounding hides the slope, or it has no "
                "finite value. So the gradient is neither confirmed nor refuted.",)  # fmt: skip
    if found is None or found.slopes is None:
        return ()
    left, right = found.slopes
    return (f"there is a kink: the slope is {number(left)} to the left, {number(right)} to the "
            f"right, and any number in between is a subgradient.",)  # fmt: skip


def lost_digits(found: Element | None, gradient: float, dtype: Any) -> tuple[str, ...]:
    """Where the gradient is another in float64, in which it is judged."""
    if found is None or dtype == np.float64 or found.analytic == gradient:
        return ()
    near = 1e-2 * max(abs(found.analytic), abs(gradient))
    if abs(found.analytic - gradient) <= near or not np.isfinite(found.analytic):
        return ()
    return (
        f"in float64 backward says {number(found.analytic, 6)}, and the verdict is about that; in "
        f"{dtype} digits are lost.",
    )
