"""The compiled step: traced once for each kind of arguments, then run as a NumPy program."""

import functools
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..autograd import Tensor, is_recording
from ..autograd.containers import leaves
from ..autograd.recording import state
from ..errors import ArgumentError, TraceError
from .arguments import Signature
from .blocks.target import Target, checked
from .build import Built, build
from .operations import UntraceableError
from .running.runner import Runner, Unfinished, changed_numbers
from .text.saving import save
from .tracing.comparison import check_same
from .tracing.run import Recipe, is_tracing, trace_step
from .tracing.slots import GradientSource

__all__ = ["CompiledStep", "Stats", "compile"]

_MOST_PROGRAMS = 16  # kept for one step; those used last
_MOST_FAILURES = 3  # on data with NaN in it, until the gradients are computed with care
_MOST_NUMBERS = 4  # how often the surroundings may turn out to vary before a trace is done


@dataclass
class Stats:
    """What a compiled step has done so far."""

    calls: int = 0
    traces: int = 0  # how often a program was made
    trace_seconds: float = 0.0  # running the step on traced arrays
    build_seconds: float = 0.0  # passes, memory, text
    numba_seconds: float = 0.0  # the first calls of what Numba compiles, or finds compiled
    eager_calls: int = 0  # calls that a program could not finish, so that the step itself ran
    bytes_without_plan: int = 0  # of the latest program, if each value had memory of its own
    bytes_of_buffers: int = 0  # that it takes

    def __str__(self) -> str:
        made = f"{self.traces} program{'s' * (self.traces != 1)} made"
        text = (
            f"{self.calls} calls, {made} in {self.trace_seconds * 1e3:.0f} ms of tracing and "
            f"{self.build_seconds * 1e3:.0f} ms of building, {self.bytes_of_buffers:,} bytes of "
            f"buffers for {self.bytes_without_plan:,} of values"
        )
        return text + (f", {self.eager_calls} calls run eagerly" if self.eager_calls else "")


def compile(  # noqa: A001  what everybody calls it
    function: Callable[..., Any] | None = None,
    /,
    *,
    static: Any = (),
    threads: int | None = None,
    target: str = "numpy",
) -> Any:
    """Turn a training step, or any function of arrays, into a NumPy program. A decorator.

    The first call with arguments of a kind runs the function twice on arrays that write down what
    is done to them: forward, backward and the optimiser's update. What was written down becomes a
    program in plain NumPy, and later calls run that. `step.source` shows it, `step.save` writes a
    module that needs NumPy alone.

    Whatever the step reads or stores besides its arguments takes part: parameters, the state of
    optimisers, running statistics, generators of random numbers, counters. It is the step's own
    afterwards, as if it had run itself. What it does besides, such as printing, it does only while
    it is traced. `step.stats` tells how often that was, and how long it took.

    While it is traced, arrays have shapes and dtypes, but no values to look at. What would need one
    is refused with its line: `if loss > 1`, `.item()`, `.numpy()`, a list that grows. Choose by
    `np.where`, take a value without its gradient by `.detach()`, as for a running mean, look
    things up as `tinygrad_nn.Tensor(table)[labels]`, and return what is to be kept or printed.

    Args:
        function: takes arrays, Tensors, numbers, and tuples, lists and dicts of them, and returns
            the same.
        static: names or positions of arguments that are not arrays for the program, but decide
            what it is: it is compiled anew for each of their values.
        threads: how many may share what is elementwise on large arrays; by default as many as
            there are processors to use, and at most 4. Elements are the same however many there
            are; sums over large arrays are added up in another order, always the same.
        target: "numpy" writes into memory that is made once, which is fast. "teaching" is the same
            program as a student would write it, a new array in each line, and beside each line of
            the backward pass the derivative that it is. "numba" makes loops that Numba compiles,
            which is worth it for many operations on few elements, and for large arrays; the first
            call takes seconds.

    Raises:
        ArgumentError: an unknown target, or one that is not installed; less than one thread; or
            static arguments that are not there.
        TraceError: from a call: the step looks at values, as `if loss > 1:` does, or it does not
            do the same when it is run again.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> w = tnn.Tensor([1.0, 2.0], requires_grad=True, name="w")
        >>> optimizer = tnn.optim.SGD([w], learning_rate=0.5)
        >>> @tnn.compile
        ... def step(x):
        ...     loss = ((w * x) ** 2).sum()
        ...     optimizer.zero_grad()
        ...     loss.backward()
        ...     optimizer.step()
        ...     return loss
        >>> step(np.array([1.0, 1.0])).item(), w.numpy().tolist()
        (5.0, [0.0, 0.0])
        >>> "np.matmul" in step.source
        False
    """
    if function is None:
        return functools.partial(compile, static=static, threads=threads, target=target)
    return CompiledStep(function, static, checked(target, threads))


class CompiledStep:
    """A function that runs as a NumPy program, made by `compile`.

    Attributes:
        stats: what it has done so far, as `Stats`.
    """

    def __init__(
        self, function: Callable[..., Any], static: Any = (), target: Target | None = None
    ) -> None:
        if not callable(function):
            raise ArgumentError(f"compile: expected a function; got {type(function).__name__}")
        functools.update_wrapper(self, function)
        self._function = function
        self._name = getattr(function, "__name__", type(function).__name__)
        self._target = target or Target()
        self._signature = Signature(function, static)
        self._entries: dict[Any, list[Runner]] = {}
        self._varying: set[str] = set()  # Python numbers around the step that change
        self._fixed: set[str] = set()  # those that it branches on, so that each has its program
        self._failed: Counter[Any] = Counter()  # how often gradients came out infinite or NaN
        self._guarded: set[Any] = set()  # kinds for which that may be the program's own fault
        self._lock = threading.RLock()
        self._busy = False
        self._warned = False
        self._latest: Runner | None = None
        self.stats = Stats()

    def __repr__(self) -> str:
        return f"<compiled {self._name}, {sum(map(len, self._entries.values()))} programs>"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the step's program; make it first, if there is none for such arguments."""
        if is_tracing():  # part of another step
            return self._function(*args, **kwargs)
        plain = not kwargs and all(type(a) is np.ndarray for a in args)
        arguments = args if plain else leaves((args, kwargs))
        if is_recording() and (
            state.transforms or (not plain and any(map(_has_history, arguments)))
        ):
            return self._function(*args, **kwargs)  # a gradient has to flow through
        with self._lock:
            self._enter()
            try:
                return self._run(args, kwargs, arguments)
            finally:
                self._busy = False

    def _run(self, args: Any, kwargs: Any, arguments: Sequence[Any]) -> Any:
        self.stats.calls += 1
        traces = self.stats.traces
        try:
            runner = self._find(args, kwargs, arguments)
        except UntraceableError:
            self.stats.eager_calls += 1
            return self._function(*args, **kwargs)
        started, made = time.perf_counter(), self.stats.traces != traces
        try:
            result = runner.run(arguments)
        except Unfinished as unfinished:
            self.stats.eager_calls += 1
            if isinstance(unfinished.__cause__, FloatingPointError):
                kinds = self._signature.kinds(args, kwargs, arguments)
                self._failed[kinds] += 1
                if self._failed[kinds] >= _MOST_FAILURES or runner.takes_finite(arguments):
                    # From now on what is not selected is kept silent: see the walker's guard.
                    self._guarded.add(kinds)
            return runner.run_eagerly(lambda: self._function(*args, **kwargs), arguments)
        if made and self._target.scalar:
            self.stats.numba_seconds += time.perf_counter() - started
        return result

    # --- what was made ------------------------------------------------------------------------

    @property
    def source(self) -> str:
        """The text of the program that ran last."""
        return self.built.source.text

    def save(self, path: Any, *, batch: Sequence[Any] | None = None) -> Path:
        """Write the program that ran last as a module that needs NumPy alone.

        The module has the function of the program, which takes a state and updates it in place,
        `init_state()`, and a loop that trains when the file is started. Long arrays stand beside
        it in a file that ends in .npz, and that it needs.

        Where a gradient is infinite or NaN, the module raises FloatingPointError before it updates
        anything; the compiled step leaves such a call to the step as it was written.

        Args:
            path: a file that ends in .py.
            batch: arguments of the step, for the loop; random numbers of their kind, if left out.

        Raises:
            ArgumentError: the batch is not what the program was made for.
            TraceError: the step calls functions that NumPy does not have, or has not run yet.
            OutputError: the file cannot be written.
        """
        arguments = None if batch is None else leaves((tuple(batch), {}))
        if arguments is None and self.built.reads_arguments:
            raise ArgumentError(
                f"save: expected batch=, the arguments of {self._name}, since their values or "
                f"gradients are updated; got none"
            )
        return save(self.built, self._ran.state_now(arguments or ()), path, arguments)

    @property
    def built(self) -> Built:
        """The program that ran last, with what its values are called and connected to."""
        return self._ran.built

    @property
    def _ran(self) -> Runner:
        if self._latest is None:
            raise TraceError(
                f"compile: expected {self._name} to have been called, since its program follows "
                f"from its arguments; call it once"
            )
        return self._latest

    # --- making programs ----------------------------------------------------------------------

    def _enter(self) -> None:
        """One call at a time: they share memory, and the state that they update."""
        if self._busy:
            raise TraceError(
                f"compile: expected {self._name} to be over before it is called again; got a "
                f"call from within it; call the function that it was made from"
            )
        self._busy = True

    def _find(self, args: Any, kwargs: Any, arguments: Sequence[Any]) -> Runner:
        """The program for such arguments, with everything around the step as it is now."""
        kinds = self._signature.kinds(args, kwargs, arguments)
        guarded = kinds in self._guarded
        key = kinds, guarded, is_recording()
        entries = self._entries.get(key, [])
        for i, runner in enumerate(entries):
            if runner.fits(arguments):
                if runner is not self._latest:
                    entries.insert(0, entries.pop(i))
                    self._use(key, entries, runner)
                return runner
        for runner in entries:
            self._varying |= changed_numbers(runner.edges) - self._fixed
        runner = self._made(args, kwargs, guarded)
        if not runner.fits(arguments):
            raise TraceError(
                f"compile: expected what {self._name} uses to stay as it is while it is traced; "
                f"got a change; let no other thread change it meanwhile"
            )
        self._use(key, [runner, *entries], runner)
        return runner

    def _use(self, key: Any, entries: list[Runner], runner: Runner) -> None:
        """Keep the programs that were used last, in that order."""
        self._entries.pop(key, None)
        self._entries[key] = entries
        self._latest = runner
        while sum(map(len, self._entries.values())) > _MOST_PROGRAMS:
            oldest = next(iter(self._entries))
            self._entries[oldest].pop()
            if not self._entries[oldest]:
                del self._entries[oldest]

    def _made(self, args: Any, kwargs: Any, guarded: bool) -> Runner:
        """Trace the step and build its program."""
        recipe, built = self._built_from(args, kwargs, False, guarded)
        self._warn(built)
        if any(isinstance(origin, GradientSource) for origin in built.reads.values()):
            # It looks at gradients of before: so it matters whether there are any.
            recipe, built = self._built_from(args, kwargs, True, guarded)
        self.stats.traces += 1
        self.stats.bytes_without_plan = built.plan.bytes_without
        self.stats.bytes_of_buffers = built.plan.bytes_with
        return Runner(built, recipe)

    def _built_from(
        self, args: Any, kwargs: Any, absent_gradients: bool, guarded: bool
    ) -> tuple[Recipe, Built]:
        started = time.perf_counter()
        recipe = self._traced(args, kwargs, absent_gradients, guarded)
        traced = time.perf_counter()
        built = build(recipe, self._name, leaves((args, kwargs)), self._target)
        self.stats.trace_seconds += traced - started
        self.stats.build_seconds += time.perf_counter() - traced
        return recipe, built

    def _warn(self, built: Built) -> None:
        """Say once which functions the program calls that NumPy does not have."""
        calls = {
            f"{e.function.__name__} at {e.origin.line}"
            for e in built.program.equations
            if e.function in built.source.callables.values()
        }
        if calls and not self._warned:
            self._warned = True
            warnings.warn(
                f"compile: {self._name} calls functions that are not NumPy's, which run as they "
                f"are: {', '.join(sorted(calls))}",
                stacklevel=6,  # the line that calls the step
            )

    def _traced(self, args: Any, kwargs: Any, absent_gradients: bool, guarded: bool) -> Recipe:
        """Trace the step until it is known which numbers it changes, and then once more."""
        varying = set(self._varying)
        before = None
        for _ in range(_MOST_NUMBERS):
            try:
                recipe = self._trace_once(args, kwargs, varying, absent_gradients, guarded)
            except TraceError:
                if not varying & self._varying:
                    raise
                # It branches on one of them: then it has a program for each value.
                self._fixed |= self._varying
                varying -= self._varying
                self._varying.clear()
                continue
            if recipe.counted <= varying and before is not None:
                check_same(before, recipe)
                return recipe
            before = None if recipe.counted - varying else recipe
            varying |= recipe.counted
        raise TraceError(
            f"compile: expected {self._name} to change the same numbers each time it runs; got "
            f"other ones each time: {', '.join(sorted(varying))}"
        )

    def _trace_once(
        self, args: Any, kwargs: Any, varying: set[str], absent_gradients: bool, guarded: bool
    ) -> Recipe:
        names, static, roots = self._signature.layout_of(args, kwargs)
        return trace_step(
            self._function,
            (args, kwargs),
            roots,
            names,
            static,
            varying,
            absent_gradients=absent_gradients,
            guarded=guarded,
        )


def _has_history(argument: Any) -> bool:
    return isinstance(argument, Tensor) and not argument.is_leaf
