"""The table: each NumPy function beside its derivatives. No graph, no Tensor.

Importing this room fills the table. What a row is stands in `primitive`, the table itself in
`table`; each other module holds one kind of function, and `assembly` functions of our own.
"""

from . import (
    calculus,
    choices,
    decompositions,
    elementwise,
    indexing,
    joining,
    linalg,
    products,
    rearranging,
    reductions,
    running,
    shaping,
    statistics,
    trigonometry,
    windows,
)
from .arrays import (
    as_array,
    as_numbers,
    as_real,
    private_numbers,
    refuse_masked,
    without_scalar,
)
from .assembly import array, index_add, index_update, put_along_axis, stack
from .choices import RELU, relu
from .deferred import Deferred, ensure_within
from .elementwise import ASTYPE, IDENTITY, SIGMOID, SOFTPLUS, STOP_GRADIENT, stop_gradient
from .indexing import GETITEM, SCATTER, private_index
from .primitive import Call, Derivative, Domain, Primitive, Trait, call, name_of
from .products import dot
from .reductions import LOG_SOFTMAX
from .table import REWRITES, TABLE, Constant, Entry, Rewrite, define, find, withdraw

__all__ = [
    "ASTYPE",
    "GETITEM",
    "IDENTITY",
    "LOG_SOFTMAX",
    "RELU",
    "REWRITES",
    "SCATTER",
    "SIGMOID",
    "SOFTPLUS",
    "STOP_GRADIENT",
    "TABLE",
    "Call",
    "Constant",
    "Deferred",
    "Derivative",
    "Domain",
    "Entry",
    "Primitive",
    "Rewrite",
    "Trait",
    "array",
    "as_array",
    "as_numbers",
    "as_real",
    "calculus",
    "call",
    "choices",
    "decompositions",
    "define",
    "dot",
    "elementwise",
    "ensure_within",
    "find",
    "index_add",
    "index_update",
    "indexing",
    "joining",
    "linalg",
    "name_of",
    "private_index",
    "private_numbers",
    "products",
    "put_along_axis",
    "rearranging",
    "reductions",
    "refuse_masked",
    "relu",
    "running",
    "shaping",
    "stack",
    "statistics",
    "stop_gradient",
    "trigonometry",
    "windows",
    "withdraw",
    "without_scalar",
]
