"""Which epochs of a run to keep, when nobody knows how many there will be."""

from math import isqrt

__all__ = ["Schedule"]


class Schedule:
    """Epochs h·k²/m² for k = 0, 1, …, m, rounded up: close together at first, m + 1 at most.

    When a run goes beyond the last of them, the horizon h, it is made four times as far. The new
    epochs up to the old horizon are every second of the old ones, so nothing has to be made again.

    Args:
        most: m.
        horizon: h, how many epochs there will be, if that is known.

    Example:
        >>> from tinygrad_nn.diagrams.movie.schedule import Schedule
        >>> schedule = Schedule(4, horizon=100)
        >>> [epoch for epoch in range(101) if epoch in schedule]
        [0, 7, 25, 57, 100]
        >>> schedule.reach(101)
        True
        >>> [epoch for epoch in range(401) if epoch in schedule]
        [0, 25, 100, 225, 400]
    """

    def __init__(self, most: int, horizon: int | None = None) -> None:
        self.most = most
        self.horizon = horizon or most

    def __contains__(self, epoch: int) -> bool:
        squared = self.most**2
        k = isqrt(epoch * squared // self.horizon)  # the last that is due by then
        return k * k * self.horizon > (epoch - 1) * squared

    def reach(self, epoch: int) -> bool:
        """Go as far as an epoch; tell whether fewer of those before it are kept now."""
        before = self.horizon
        while epoch > self.horizon:
            self.horizon *= 4
        return self.horizon > before
