"""Recognisers of formulas in a recording: what is a sigmoid, a softmax, the logarithm of one.

A pattern is written as the formula itself, such as ``log(1 + exp(x))``, and laid against recorded
nodes. What only moves elements, or keeps them in bounds, may stand between any two parts of it.
"""

import ast
import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...autograd import Node

__all__ = ["Match", "bare", "called", "find", "is_form", "root_rows"]

# The spellings of a quantity, each with x for what it is made of. One may use another by name.
# In a formula c, c1, … stand for constants, _ for anything, and other letters for the same values
# wherever they occur.
# fmt: off
FORMS: dict[str, tuple[str, ...]] = {
    "neg": ("-x", "x * -1", "0 - x", "x / -1"), "half": ("x / 2", "x * 0.5"),
    "ln": ("log(x)", "log2(x)", "log10(x)"), "peak": ("max(x)", "amax(x)"),
    "added": ("sum(x)", "einsum(x)"), "total": ("added(x)", "mean(x)"),
    "average": ("mean(x)", "added(x) / c", "added(x) * c"),
    "squared": ("square(x)", "x * x", "x ** 2", "absolute(x) ** 2", "float_power(x, 2)"),
    "squares": ("total(squared(x))", "einsum(x, x)", "matmul(x, x)", "squared(x)", "var(x)"),
    "spread": ("squares(x)", "squared(a) + squared(x)", "squares(x) / c", "squares(x) * c"),
    "root": ("sqrt(x)", "x ** 0.5", "float_power(x, 0.5)"),
    "mirrored": ("where(_, -x, x)", "where(_, x, -x)", "-absolute(x)"),  # −|x|
    "bounded": ("mirrored(x)", "-squares(x)", "-relu(x)", "minimum(x, c)", "clip(x, c, c1)"),
    "logits": ("x - peak(x)", "x"),
    "softplus": ("log(1 + exp(x))", "log1p(exp(x))", "logaddexp(0, x)",
                 "where(_, x, 0) + log1p(exp(mirrored(x)))"),
    "sigmoid": ("1 / (1 + exp(neg(x)))", "reciprocal(1 + exp(neg(x)))", "(1 + exp(neg(x))) ** -1",
                "exp(x) / (1 + exp(x))", "exp(x) * reciprocal(1 + exp(x))",
                "where(_, 1, exp(mirrored(x))) / (1 + exp(mirrored(x)))",
                "where(_, 1 / (1 + exp(neg(x))), exp(x) / (1 + exp(x)))",
                "0.5 * (1 + tanh(half(x)))", "(1 + tanh(half(x))) / 2",
                "0.5 + 0.5 * tanh(half(x))", "0.5 + tanh(half(x)) / 2", "exp(-softplus(neg(x)))"),
    "softmax": ("exp(logits(x)) / added(exp(logits(x)))",
                "exp(logits(x)) * reciprocal(added(exp(logits(x))))",
                "exp(logits(x)) * (1 / added(exp(logits(x))))",
                "exp(logits(x)) * added(exp(logits(x))) ** -1",
                "exp(x - log_sum_exp(x))", "exp(log_softmax(x))"),
    "probability": ("softmax(x)", "sigmoid(x)"),
    # How the losses keep the logarithm of a probability finite: its value is already bounded.
    "floored": ("c + (x - stop_gradient(x))",),
}

_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide",
    ast.Pow: "power", ast.USub: "negative",
}
# fmt: on
_TRANSPARENT = {"ln", "added", "total", "average", "root"}  # one row, of several that will do
_COMMUTE = {"add", "multiply", "maximum", "minimum", "logaddexp"}
_SHAPED = {"reshape", "transpose", "swapaxes", "broadcast_to", "expand_dims", "squeeze", "getitem"}
_MOVES = _SHAPED | {"astype", "identity", "positive", "conjugate", "stop_gradient", "clip"}
_EPS = 1e-3  # the largest constant whose addition or bound only keeps numbers away from zero
_FARTHEST = 8  # a chain of moves is followed so far: the search stays linear in the graph
_DEEPEST = 5  # so deep are two computations compared


class Pattern(NamedTuple):
    """A parsed formula: a row with parts, a form with one part, a variable or a constant."""

    kind: str
    name: str = ""
    value: float = 0.0
    parts: tuple["Pattern", ...] = ()


class Match(NamedTuple):
    """A formula found in a recording."""

    root: Node
    found: dict[str, Any]  # what each variable stands for
    nodes: tuple[Node, ...]  # those of the formula itself, without those of the forms it names

    @property
    def x(self) -> Any:
        """What the formula is made of."""
        return self.found["x"]

    def row(self, *names: str) -> Node:
        """The node of the formula that one of these rows made."""
        return next(node for node in self.nodes if called(node) in names)


def find(formula: str, root: Node) -> Match | None:
    """Lay a formula against a node.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> from tinygrad_nn.verify.stability.patterns import find
        >>> x = tnn.Tensor([0.5], requires_grad=True, name="x")
        >>> find("log(sigmoid(x))", np.log(1 / (1 + np.exp(-x)))._node).x.name
        'x'
        >>> find("log(sigmoid(x))", np.log(x)._node) is None
        True
    """
    for found in _lay(_parse(formula), root, {}, 0):
        nodes = found.pop("", ())
        return Match(root, found, tuple(dict.fromkeys((root, *nodes))))
    return None


def is_form(name: str, value: Any) -> bool:
    """Whether a value is one of the forms, such as ``"softmax"``, perhaps moved or bounded."""
    return next(_lay(_parse(f"{name}(x)"), value, {}), None) is not None


@functools.cache
def root_rows(formula: str) -> frozenset[str]:
    """The rows that may have made the node that a formula ends in."""
    names: set[str] = set()
    waiting = [_parse(formula)]
    for pattern in waiting:  # grows as it is read
        if pattern.kind == "row":
            names.add(pattern.name)
        elif pattern.kind == "form":
            waiting += [s for s in _spellings(pattern.name) if s not in waiting]
    return frozenset(names)


def called(value: Any) -> str:
    """What the table calls the row of a node; "" for leaves, constants and users' own rows."""
    if type(value) is not Node or value.primitive is None:
        return ""
    return _short(value.primitive.qualified_name)


@functools.cache
def _short(qualified_name: str) -> str:
    room, _, name = qualified_name.rpartition(".")
    return name if room in ("numpy", "tinygrad_nn", "numpy.linalg") else ""


def bare(value: Any) -> Any:
    """A value before it was moved, or kept in bounds."""
    return list(_behind_moves(value))[-1]


# --- reading formulas -------------------------------------------------------------------------


@functools.cache
def _parse(formula: str) -> Pattern:
    return _parsed(ast.parse(formula, mode="eval").body)


@functools.cache
def _spellings(form: str) -> tuple[Pattern, ...]:
    """A form is whatever one of its formulas makes, or the row of its own name, if there is one."""
    row = Pattern("row", form, parts=(Pattern("variable", "x"),))
    return (row, *map(_parse, FORMS[form]))


def _parsed(tree: ast.expr) -> Pattern:
    match tree:
        case ast.Constant(value=int() | float() as number):
            return Pattern("constant", value=float(number))
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return Pattern("constant", value=-float(number))
        case ast.UnaryOp(op=op, operand=operand):
            return Pattern("row", _OPERATORS[type(op)], parts=(_parsed(operand),))
        case ast.BinOp(left=left, op=op, right=right):
            parts = (_parsed(left), _parsed(right))
            return Pattern("row", _OPERATORS[type(op)], parts=parts)
        case ast.Call(func=ast.Name(id=name), args=args):
            kind = "form" if name in FORMS else "row"
            return Pattern(kind, name, parts=tuple(map(_parsed, args)))
        case ast.Name(id=name):
            return Pattern("variable", name)
    raise ValueError(f"not a formula: {ast.dump(tree)}")


# --- laying them against nodes ----------------------------------------------------------------

# The recursion follows a formula, which is short, and never the graph.


def _lay(
    pattern: Pattern, value: Any, found: dict[str, Any], moves: int = _FARTHEST
) -> Iterator[dict[str, Any]]:
    """Every way to take a value for a pattern, each as what the variables stand for then."""
    if pattern.kind == "row":
        yield from _lay_row(pattern, value, found, moves)
    elif pattern.kind == "form":
        for spelling in _spellings(pattern.name):
            for inner in _lay(spelling, value, {}, moves):
                seen = inner.get("", ()) if pattern.name in _TRANSPARENT else ()
                whole = {**found, "": (*found.get("", ()), *seen)}
                yield from _lay(pattern.parts[0], inner["x"], whole)
    elif pattern.kind == "constant":
        if _equals(value, pattern.value):
            yield found
    elif pattern.name == "_" or (pattern.name in found and _same(found[pattern.name], value)):
        yield found
    elif pattern.name not in found and (pattern.name[0] != "c" or _is_constant(value)):
        yield {**found, pattern.name: value}


def _lay_row(
    pattern: Pattern, value: Any, found: dict[str, Any], moves: int
) -> Iterator[dict[str, Any]]:
    for node in _behind_moves(value, moves):
        if called(node) != pattern.name or len(node.inputs) != len(pattern.parts):
            continue
        seen = {**found, "": (*found.get("", ()), node)}
        orders = [pattern.parts]
        if pattern.name in _COMMUTE:
            orders.append(pattern.parts[::-1])
        for parts in orders:
            yield from _lay_all(parts, node.inputs, seen)


def _lay_all(
    parts: Sequence[Pattern], values: Sequence[Any], found: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    if not parts:
        yield found
        return
    for first in _lay(parts[0], values[0], found):
        yield from _lay_all(parts[1:], values[1:], first)


def _behind_moves(value: Any, moves: int = _FARTHEST) -> Iterator[Any]:
    """The value, then what it was before each move or bound, the latest first."""
    yield value
    for _ in range(moves):
        value = _before_move(value)
        if value is None:
            return
        yield value


def _before_move(value: Any) -> Any:
    """What a node moved or kept in bounds; None if it did something else."""
    name = called(value)
    if name in _MOVES:
        return value.inputs[0]
    if name in ("add", "maximum", "minimum"):
        for kept, bound in (value.inputs, value.inputs[::-1]):
            if type(kept) is Node and _is_constant(bound) and np.size(_number(bound)) == 1:
                small = abs(np.asarray(_number(bound)).item()) <= _EPS
                return kept if small or name != "add" else None
    return None


def _number(value: Any) -> Any:
    return value.value if type(value) is Node else value


def _is_constant(value: Any) -> bool:
    return not (type(value) is Node and value.tracked)


def _equals(value: Any, number: float) -> bool:
    array = np.asarray(_number(value))
    known = _is_constant(value) and array.dtype.kind in "iuf" and array.size > 0
    return known and bool(array.flat[0] == number and np.all(array == number))


def _same(a: Any, b: Any, depth: int = _DEEPEST) -> bool:
    """Whether two values are the same numbers, perhaps computed twice, or in another shape."""
    if a is b:
        return True
    if type(a) is not Node or type(b) is not Node:
        return type(a) is type(b) and _alike(a, b)
    (a, taken_of_a), (b, taken_of_b) = _unshaped(a), _unshaped(b)
    if a is b or not _alike(taken_of_a, taken_of_b):
        return a is b and _alike(taken_of_a, taken_of_b)
    return (
        depth > 0
        and a.primitive is b.primitive
        and len(a.inputs) == len(b.inputs) <= 4
        and _alike(a.static, b.static)
        and (a.primitive is not None or (not a.tracked and _alike(a.value, b.value)))
        and all(map(functools.partial(_same, depth=depth - 1), a.inputs, b.inputs))
    )


def _unshaped(node: Node) -> tuple[Node, list[Any]]:
    """The node behind moves, and the elements that those took."""
    taken = []
    for _ in range(_FARTHEST):
        name = called(node)
        if name not in _MOVES or name == "clip" or type(node.inputs[0]) is not Node:
            break
        if name == "getitem":
            taken.append((node.static or {})["index"])
        node = node.inputs[0]
    return node, taken


def _alike(a: Any, b: Any) -> bool:
    """Whether two constants or static arguments are equal, arrays among them by their elements."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_alike(a[key], b[key]) for key in a)
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(map(_alike, a, b))
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.array_equal(a, b)
    return bool(a == b)
