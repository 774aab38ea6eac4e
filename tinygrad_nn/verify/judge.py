"""Judging one derivative by what the function does along a line.

A first look tries a few steps, until one gives a difference that is exact enough and agrees. All
else needs a second look, over steps from large to tiny: what the smallest trusted steps agree on is
the truth at this point, whatever happens further away.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from .differences import COARSE_TO_FINE, FIRST, UNDERFLOW, Line, Slope, Window
from .verdicts import Element, Verdict

__all__ = ["judge"]

_TRUSTED = 1e-4  # of what is measured: a wider error bar could hide a wrong derivative
_EXACT = 1e-7  # the same, where one window is believed without another
_CANCELLED = 1e-6  # of what is added up to nearly nothing
_CLOSE = 2.0**-14  # of a step: what is narrower than the one, the other shows
_SLIGHT = 1e-3  # of a slope: a kink that may be missed by other steps
_SMALL = 2.0**-6  # where f is flat in smaller steps alone, it may only be rounded
_LEAST_JUMP = 1e-6  # of how far f moves at all: smaller ones are steps of its rounding
_QUANTUM = 2.0**-16  # moves may vanish in smaller steps where f computes in less precision


def judge(line: Line, analytic: float, cancelling: float = 0.0) -> Element:
    """Judge one derivative by the slope of a line at 0.

    Args:
        line: the function along the line.
        analytic: the derivative to be judged.
        cancelling: the sum of the sizes of its parts, where it has several.
    """
    if _is_still(line):
        return _still(line, analytic)
    for power in FIRST:
        window = line.window(line.width * 2.0**power)
        if window.bends or window.jump:
            break
        if _is_trusted(line, window, part=_EXACT) and _is_plain(line, window):
            if _agree(analytic, window):
                return _element(Verdict.PASS, analytic, window)
            break  # no need of another step before the second look
    return _second_look(line, analytic, cancelling)


def _is_still(line: Line) -> bool:
    """Whether nothing moves, near or far."""
    if line.alive.any():
        return False
    near = (line.window(line.width * 2.0**power) for power in FIRST)
    return all(w.flat for w in (line.window(line.widths[-1] * 2.0 ** FIRST[-1]), *near))


def _is_plain(line: Line, window: Window) -> bool:
    """Whether f has the same slope within a window, to either side and close by.

    A central difference by itself does not see what is narrow, or alike to both sides.
    """
    sides = max(window.gap, _one_sided_blur(window))
    if sides > 1e-4 * max(abs(window.central.value), window.reach):
        return False
    return window.central.agrees(line.slope(window.step * _CLOSE))


def _still(line: Line, analytic: float) -> Element:
    """Nothing moves within the widest step. A slope that rounding hides cannot be excluded."""
    verdict = Verdict.UNSTABLE
    if analytic == 0:
        verdict = Verdict.UNUSED if line.frozen().all() else Verdict.PASS
    elif not abs(analytic) <= 10 * line.hidden + UNDERFLOW:
        verdict = Verdict.WRONG if line.is_finite else Verdict.UNSTABLE
    return Element((), verdict, analytic, 0.0, line.floor)


def _is_trusted(line: Line, window: Window, part: float = _TRUSTED, of_all: float = 0.0) -> bool:
    """Whether an error bar is so small that it would not hide a wrong derivative.

    It is compared with the derivative, with what cancels in it, and with a part of how steep the
    function is as a whole.
    """
    whole = max(of_all * line.steepness(window.step), (0.1 if window.flat else of_all) * line.pace)
    size = max(abs(window.central.value), 1e-2 * window.reach, whole)
    return window.central.error <= part * size


def _agree(analytic: float, window: Window, errors: float = 10.0) -> bool:
    """Whether they agree within errors of the difference, and the rounding of the analytic."""
    if not math.isfinite(analytic):
        return False
    numeric = window.central
    rounding = 1e-9 * max(abs(analytic), abs(numeric.value)) + 1e-13 * window.reach
    return abs(analytic - numeric.value) <= errors * numeric.error + rounding + UNDERFLOW


def _element(verdict: Verdict, analytic: float, window: Window) -> Element:
    if verdict is Verdict.JUMP:
        return Element((), verdict, analytic, math.nan, math.inf, jump=window.jump)
    element = Element((), verdict, analytic, window.central.value, window.central.error)
    if verdict is Verdict.KINK:
        sides = (window.left.value, window.right.value)
        return replace(element, slopes=sides, interval=window.interval)
    return element


def _second_look(line: Line, analytic: float, cancelling: float) -> Element:
    """What the finest steps agree on decides: they see past a kink or a jump close by."""
    windows = _all_windows(line)
    seen = [(w, kind) for w in windows if (kind := _kind(line, w)) is not None]
    for (fine, kind), (coarse, other) in pairwise(seen):
        finer = [w for w in windows if w.step < fine.step]
        if kind is not other or not _same(fine, coarse, kind) or _excluded(fine, kind, finer):
            continue
        run = _run(fine, kind, [w for w, shown in seen if shown is kind])
        if kind is not Verdict.PASS:
            clearest = run[0] if kind is Verdict.JUMP else min(run, key=_one_sided_blur)
            return _element(kind, analytic, clearest)
        if (kink := _unresolved_kink(run, seen)) is not None:
            return _element(Verdict.KINK, analytic, kink)
        if _is_trusted(line, _most_exact(run), of_all=1e-3):
            return _decided(line, analytic, windows, run)
    smooth = [w for w, kind in seen if kind is Verdict.PASS]
    return _undecided(analytic, cancelling, windows, smooth)


def _all_windows(line: Line) -> list[Window]:
    """What f does in steps of all sizes, from small to large, with the noise it has."""
    steps = {width * 2.0**power for width in line.widths for power in COARSE_TO_FINE}
    windows = [line.window(step) for step in sorted(steps)]
    still = [w.step for w in windows if w.flat]
    # Where f moves to one side alone, it is level to the other, and no rounding.
    stepping = not any(w.one_sided for w in windows)
    if still and max(still) < _QUANTUM * line.width and stepping:
        # f is coarser than its dtype says, and does not truly jump from step to step.
        windows = [w._replace(jump=0.0) for w in windows if not w.flat]
    return list(_with_noise(windows))


def _undecided(
    analytic: float, cancelling: float, windows: Sequence[Window], smooth: Sequence[Window]
) -> Element:
    """No two windows show the same: one alone may confirm a derivative, but none refutes it."""
    agreeing = [w for w in smooth if _agree(analytic, w)]
    if agreeing:
        return _element(Verdict.PASS, analytic, agreeing[0])
    plain = [w for w in windows if not w.bends and not w.jump]
    best = min(plain or windows, key=_blur)
    exact = bool(plain) and _blur(best) <= 10 * _TRUSTED * abs(best.central.value)
    # Or the sum of parts that do not vanish themselves, as of a bias before a softmax.
    negligible = _blur(best) <= _CANCELLED * cancelling
    confirmed = (exact and _agree(analytic, best, errors=3.0)) or (
        negligible and _agree(analytic, best)
    )
    return _element(Verdict.PASS if confirmed else Verdict.UNSTABLE, analytic, best)


def _with_noise(windows: list[Window]) -> Iterator[Window]:
    """Windows from small to large, with a noise of f that its dtype does not tell of.

    Whatever bends a function shrinks with the step; what does not shrink is noise, in all
    steps that are larger.
    """
    noise = 0.0
    for window, coarser in zip(windows, [*windows[1:], None], strict=True):
        if coarser is not None and not window.jump:
            noise = max(noise, window.bend - coarser.bend / 2)
        yield window.noisier(noise)


def _unresolved_kink(
    run: Sequence[Window], seen: Sequence[tuple[Window, Verdict]]
) -> Window | None:
    """A kink that larger steps show, so slight that the rounding of smaller ones hides it."""
    kinks = [w for w, kind in seen if kind is Verdict.KINK]
    for near, far in pairwise(kinks):
        if _same(near, far, Verdict.KINK) and not _excluded(near, Verdict.KINK, run):
            return min(near, far, key=_one_sided_blur)
    for kink in kinks:  # one alone, whose mean is what the others show
        slight = kink.gap <= _SLIGHT * abs(kink.central.value)
        alike = any(kink.central.agrees(w.central) for w in run)
        if slight and alike and not _excluded(kink, Verdict.KINK, run):
            return kink
    return None


def _excluded(shown: Window, kind: Verdict, finer: Sequence[Window]) -> bool:
    """Whether smaller steps show that what a window shows is not so at the point itself."""
    if kind is Verdict.JUMP:
        return any(w.reach * w.step < 0.5 * abs(shown.jump) for w in finer)
    if kind is Verdict.KINK:
        return any(w.gap + 3 * _one_sided_blur(w) < 0.5 * shown.gap for w in finer)
    resolved = (w for w in finer if _blur(w) <= 0.1 * abs(w.central.value))
    return any(not w.central.agrees(shown.central) for w in resolved)


def _run(fine: Window, kind: Verdict, windows: Sequence[Window]) -> list[Window]:
    """Windows that show the same, from a fine one outwards, up to the first that does not."""
    run = [fine]
    for window in windows:
        if window.step <= fine.step:
            continue
        # As all of them do, or estimates might drift from window to window.
        if not all(_same(w, window, kind) for w in run):
            break
        if kind is Verdict.PASS and window.gap > _one_sided_blur(window):
            break  # there may be a kink
        run.append(window)
    return run


def _most_exact(run: Sequence[Window]) -> Window:
    """The most exact window of a run, with the error that another one shows.

    Three differences may lie on a line by chance; another step finds the same slope by none.
    """
    best, *others = sorted(run, key=_blur)
    spread = min((abs(w.central.value - best.central.value) for w in others), default=0.0)
    return best._replace(central=Slope(best.central.value, max(best.central.error, spread)))


def _blur(window: Window) -> float:
    return window.central.error


def _one_sided_blur(window: Window) -> float:
    return window.left.error + window.right.error


def _decided(
    line: Line, analytic: float, windows: Sequence[Window], run: Sequence[Window]
) -> Element:
    """What a run of windows says that show the same slope: the most exact of them speaks."""
    best = _most_exact(run)
    if _agree(analytic, best):
        return _element(Verdict.PASS, analytic, best)
    resolved = not abs(analytic - best.central.value) <= 10 * line.floor
    larger = [
        w for w in windows if w.step > run[-1].step and _blur(w) <= 1e-2 * abs(w.central.value)
    ]
    larger = [w for w in larger if _kind(line, w) is Verdict.PASS]
    if any(_agree(analytic, w) and _same(w, v, Verdict.PASS) for w, v in pairwise(larger)):
        # Some part of f may be rounded to a coarser grid, whose steps the smaller ones miss.
        resolved = False
    if run[0].flat and max(w.step for w in windows if w.flat) < _SMALL * line.width:
        # Rounded to a grid, or saturated: what larger steps show may be meant as well.
        resolved = resolved and not any(abs(analytic) <= 3 * w.reach for w in windows)
    return _element(Verdict.WRONG if resolved else Verdict.UNSTABLE, analytic, best)


def _kind(line: Line, window: Window) -> Verdict | None:
    """What a window shows: a smooth function (PASS), a kink, a jump, or nothing clear."""
    least = max(_LEAST_JUMP * line.travel, 1e-8 * line.size)
    if abs(window.jump) > least:
        return Verdict.JUMP
    if window.bends and _one_sided_blur(window) < 0.05 * window.gap:
        return Verdict.KINK
    return Verdict.PASS if _is_trusted(line, window, of_all=1e-3) else None


def _same(fine: Window, coarse: Window, kind: Verdict) -> bool:
    """Whether two windows show the same, so that neither does by chance."""
    if kind is Verdict.JUMP:
        return abs(fine.jump - coarse.jump) <= 0.2 * abs(coarse.jump)
    if kind is Verdict.KINK:
        near = 0.05 * max(fine.gap, coarse.gap)
        sides = ((fine.left, coarse.left), (fine.right, coarse.right))
        return all(abs(a.value - b.value) <= near or a.agrees(b) for a, b in sides)
    return fine.central.agrees(coarse.central)
