"""The table: each NumPy function beside its derivatives. No graph, no Tensor.

Importing this room fills the table. The rows live in one module a kind of function:
`elementwise`, `reductions`, `shaping`, `indexing`, `linalg`.
"""

from . import elementwise, indexing, linalg, reductions, shaping
from .elementwise import ASTYPE, IDENTITY, RELU, STOP_GRADIENT, relu, stop_gradient
from .indexing import GETITEM, SCATTER
from .linalg import dot
from .reductions import LOG_SOFTMAX
from .table import (
    TABLE,
    Call,
    Constant,
    Derivative,
    Domain,
    Primitive,
    Rewrite,
    Trait,
    as_array,
    as_numbers,
    as_real,
    define,
    find,
    name_of,
    without_scalar,
)

__all__ = [
    "ASTYPE",
    "GETITEM",
    "IDENTITY",
    "LOG_SOFTMAX",
    "RELU",
    "SCATTER",
    "STOP_GRADIENT",
    "TABLE",
    "Call",
    "Constant",
    "Derivative",
    "Domain",
    "Primitive",
    "Rewrite",
    "Trait",
    "as_array",
    "as_numbers",
    "as_real",
    "define",
    "dot",
    "elementwise",
    "find",
    "indexing",
    "linalg",
    "name_of",
    "reductions",
    "relu",
    "shaping",
    "stop_gradient",
    "without_scalar",
]
