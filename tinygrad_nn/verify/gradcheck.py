"""Gradient checking: what backward computed, beside what finite differences say.

The function is called on float64 Tensors. Its gradient for a random cotangent v, from the
recording, is compared along each input element with the slope of Σ v·f there. The tolerance is
the difference's own estimated error, not a constant, so scale does not matter.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..autograd import Tensor, substituted
from ..autograd.containers import is_container, rebuilt
from ..errors import ArgumentError
from ..nn import Module
from .check import Check
from .inspection import findings
from .report import GradcheckReport
from .text import a_type, distinct

__all__ = ["gradcheck", "is_real", "plain", "what_came"]

_KINDS = {
    **dict.fromkeys("iu", "integers"),
    **dict.fromkeys("US", "strings"),
    "b": "booleans",
    "c": "complex numbers",
    "f": "floats",
}

Parameters = Module | Mapping[str, Tensor] | Sequence[Tensor]


def gradcheck(
    f: Callable[..., Any],
    *inputs: Any,
    parameters: Parameters = (),
    order: int = 1,
    jacobian: bool = False,
    rng: Any = 0,
) -> GradcheckReport:
    """Check the gradient of a function against finite differences.

    For a random cotangent v of the shape of f's output, the gradient of Σ v·f by each element of
    each input is compared with the slope there, extrapolated from several steps that fit the size
    of the element. The tolerance is that slope's own estimated error. Where rounding hides a slope,
    tangents that are carried forward through the recording decide, by a complex step or by
    differences row by row; where every recorded row is analytic, they check all. The numbers in
    the report belong to Σ v·f; for a scalar f they are its own.

    Floating-point inputs are checked, in float64; others are passed on as they are. Inputs of more
    than 1,024 elements, and those that would take more than a few seconds, are probed along a few
    random directions instead of element by element; the report says so. A random direction shows a
    mistake that changes the slope along it by more than about 1e-6 of it: one wrong element among
    many large ones may change it by less. What is found is narrowed down to an element.

    Args:
        f: takes Tensors, returns a Tensor of any shape, or a container of them.
        inputs: arrays, Tensors, numbers, or tuples, lists and dicts of them.
        parameters: Tensors that f computes with besides, to be checked as well: a Module, a dict
            from names to Tensors, or a list of them. For the check they are lifted to float64;
            afterwards they are as before.
        order: 2 to check the gradient of the gradient too, and so on.
        jacobian: whether to check the derivative of each output by itself, whatever time that
            takes; inputs of more than 1,024 elements are probed all the same.
        rng: the seed or source of the random cotangent and directions.

    Returns:
        A report: truthy when the gradient is right, and a table as a string. At a kink it is right
        if it lies between the slopes to either side.

    Raises:
        ArgumentError: there is nothing floating-point to check, the order is less than 1, f cannot
            be called, or parameters are no Tensors.
        GradientError: f does not return arrays of real numbers.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> report = tnn.gradcheck(lambda x: np.sin(x) * x, np.array([0.5, 1.0]), order=2)
        >>> bool(report), report.verdict.value
        (True, 'PASS')
        >>> layer = tnn.nn.Dense(2, 3, rng=0)
        >>> report = tnn.gradcheck(layer, np.ones((4, 2)), parameters=layer)
        >>> [finding.name for finding in report.findings]
        ['x', 'weights', 'biases']

    Reference: [Griewank2008] chapter 1; the differences are after [Ridders1982], the complex step
    after [Squire1998].
    """
    if order < 1:
        raise ArgumentError(f"gradcheck: expected an order of at least 1; got {order}")
    if not callable(f):
        raise ArgumentError(
            f"gradcheck: expected a function to check; got {a_type(f)}; write gradcheck(f, x)"
        )
    subject = _Subject(f, inputs, parameters)
    random = np.random.default_rng(rng)
    function = subject.function
    checks: list[Check] = []
    for level in range(1, order + 1):
        check = Check(function, subject.values, subject.names, random, level)
        checks.append(check)
        function = check.gradient
    found = [finding for check in checks for finding in findings(check, jacobian)]
    return GradcheckReport(found, checks)


class _Subject:
    """What is checked: a function of float64 arrays alone, their values, and their names."""

    def __init__(
        self, f: Callable[..., Any], inputs: Sequence[Any], parameters: Parameters
    ) -> None:
        self._f = f
        self._inputs = inputs
        self._leaves = [
            (name, plain(leaf))
            for called, tree in zip(_input_names(f, inputs), inputs, strict=True)
            for name, leaf in _named_leaves(called, tree)
        ]
        self._checked = [is_real(leaf) for _, leaf in self._leaves]
        named = [(name, p) for name, p in _named_parameters(parameters) if is_real(p)]
        named = list({id(p): (name, p) for name, p in reversed(named)}.values())[::-1]  # once each
        self._parameters = [parameter for _, parameter in named]
        real = [pair for pair, chosen in zip(self._leaves, self._checked, strict=True) if chosen]
        self.names = list(distinct(name for name, _ in [*real, *named]))
        if not self.names:
            got = what_came(leaf for _, leaf in self._leaves)
            raise ArgumentError(
                f"gradcheck: expected a floating-point input; got {got or 'none'}; "
                f"{'write 1.0 for 1' if 'integers' in got else 'give an array of floats'}"
            )
        arrays = [leaf for _, leaf in real] + [p.numpy() for p in self._parameters]
        self.values = [np.array(value, dtype=np.float64) for value in arrays]

    def function(self, *arrays: Any) -> Any:
        """The function of what is checked, with everything else in its place."""
        moved = iter(arrays)
        given = (
            next(moved) if chosen else leaf
            for (_, leaf), chosen in zip(self._leaves, self._checked, strict=True)
        )
        arguments = [rebuilt(tree, given) for tree in self._inputs]
        with substituted(self._parameters, list(moved)):
            return self._f(*arguments)


def plain(x: Any) -> Any:
    """What a Tensor holds; anything else as it is."""
    return x.numpy() if isinstance(x, Tensor) else x


def is_real(x: Any) -> bool:
    """Whether an argument is floating-point, so that there is something to check."""
    return np.asarray(plain(x)).dtype.kind == "f"


def what_came(leaves: Iterable[Any]) -> str:
    """What arguments hold, in words: "integers", for instance.

    Example:
        >>> from tinygrad_nn.verify.gradcheck import what_came
        >>> what_came([1, 2, "mean"])
        'integers and strings'
    """
    kinds = (np.asarray(plain(leaf)).dtype.kind for leaf in leaves if leaf is not None)
    return " and ".join(dict.fromkeys(_KINDS.get(kind, "objects") for kind in kinds))


def _input_names(f: Callable[..., Any], inputs: Sequence[Any]) -> Iterator[str]:
    """What f itself calls its arguments, where that can be told."""
    names = []
    try:
        parameters = inspect.signature(getattr(f, "forward", f)).parameters.values()
        names = [
            p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):  # some functions have no signature
        pass
    for i in range(len(inputs)):
        yield names[i] if i < len(names) else f"input {i}"


def _named_leaves(name: str, tree: Any) -> Iterator[tuple[str, Any]]:
    """The arrays in an input, each with its path, as ``p['w']``."""
    if isinstance(tree, Tensor) and tree.name:
        yield tree.name, tree
    elif not is_container(tree):
        yield name, tree
    elif tree is not None:
        for key, item in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _named_leaves(f"{name}[{key!r}]", item)


def _named_parameters(parameters: Parameters) -> Iterable[tuple[str, Tensor]]:
    if isinstance(parameters, Module):
        return parameters.named_parameters()
    if isinstance(parameters, Tensor) or not isinstance(parameters, Iterable):
        raise ArgumentError(
            f"gradcheck: expected a Module, a dict of Tensors or a list of them as parameters; got "
            f"{a_type(parameters)}; write parameters=[p] for one"
        )
    named = parameters.items() if isinstance(parameters, Mapping) else enumerate(parameters)
    found: list[tuple[str, Tensor]] = []
    for key, p in named:
        if not isinstance(p, Tensor):
            raise ArgumentError(
                f"gradcheck: expected Tensors as parameters; got {a_type(p)} for {key!r}; give "
                f"arrays as inputs, gradcheck(f, x), or let f compute with Tensors"
            )
        called = p.name or f"parameter {key}"
        found.append((str(key) if isinstance(parameters, Mapping) else called, p))
    return found
