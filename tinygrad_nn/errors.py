"""Every error the package raises on purpose, as one tree.

    TinygradNNError
    ├── ShapeError              (ValueError)           axes that do not fit together
    ├── DtypeError              (TypeError)            a dtype that cannot be used here
    ├── ArgumentError           (ValueError)           an option outside what is allowed
    ├── ValueRangeError         (ValueError)           labels or probabilities out of range
    ├── OutOfBoundsError        (IndexError)           an index that points outside
    ├── GradientError           (RuntimeError)         a gradient nobody can compute as asked
    ├── UndefinedError          (NotImplementedError)  a method a subclass has to define
    ├── MissingDerivativeError  (NotImplementedError)  a function with no row in the table
    ├── ConversionError         (TypeError)            a Tensor about to lose its history
    ├── AssignmentError         (TypeError)            writing into a recorded Tensor
    ├── OutputError             (OSError)              a file or picture that cannot be made
    └── TraceError              (TypeError)            a step that cannot be compiled as written

Each one is also the builtin exception a caller would think to catch. Messages follow one
grammar: *where: what was expected; what came; what to do*.
"""

__all__ = [
    "ArgumentError",
    "AssignmentError",
    "ConversionError",
    "DtypeError",
    "GradientError",
    "MissingDerivativeError",
    "OutOfBoundsError",
    "OutputError",
    "ShapeError",
    "TinygradNNError",
    "TraceError",
    "UndefinedError",
    "ValueRangeError",
]


class TinygradNNError(Exception):
    """The root of every error that this package raises on purpose."""


class ShapeError(TinygradNNError, ValueError):
    """Axes that do not fit together."""


class DtypeError(TinygradNNError, TypeError):
    """A dtype that cannot be used here, such as a gradient of integers."""


class ArgumentError(TinygradNNError, ValueError):
    """An option outside what is allowed, such as an unknown reduction."""


class ValueRangeError(TinygradNNError, ValueError):
    """Data outside the range a function is defined on: labels, probabilities."""


class OutOfBoundsError(TinygradNNError, IndexError):
    """An index that points outside its axis."""


class GradientError(TinygradNNError, RuntimeError):
    """A gradient that cannot be computed the way it was asked for."""


class UndefinedError(TinygradNNError, NotImplementedError):
    """A method that a subclass has to define, and does not."""


class MissingDerivativeError(TinygradNNError, NotImplementedError):
    """A function, or an option of one, that has no derivative in the table."""


class ConversionError(TinygradNNError, TypeError):
    """A Tensor about to lose its history without anybody noticing."""


class AssignmentError(TinygradNNError, TypeError):
    """Writing into a Tensor whose value a graph may still need."""


class TraceError(TinygradNNError, TypeError):
    """A step that cannot be compiled as it is written, such as one that branches on a value."""


class OutputError(TinygradNNError, OSError):
    """A file or a picture that cannot be made."""
