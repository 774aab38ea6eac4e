"""Who takes part, in the order in which they are timed and shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from shutil import which

from .works import WORKS

REFERENCE = "NumPy by hand"


@dataclass(frozen=True)
class Contestant:
    """Which function of which module makes it, what that needs, and for which works it is."""

    module: str
    function: str = "contestant"
    options: Mapping[str, object] = field(default_factory=dict)
    needs: tuple[str, ...] = ()  # modules, and "c++" for a compiler
    works: tuple[str, ...] = tuple(WORKS)

    def make(self, work):
        """A function that does the work once and gives the loss, or the gradients."""
        module = import_module(f".{self.module}", __package__)
        return getattr(module, self.function)(work, **self.options)

    def absence(self):
        """Why it takes no part, or None where it does."""
        for need in self.needs:
            if need == "c++":
                if not any(which(name) for name in ("c++", "g++", "clang++")):
                    return "no C++ compiler is found"
            elif find_spec(need) is None:
                return f"{need} is not installed"
        return None


CONTESTANTS = {
    REFERENCE: Contestant("by_hand"),
    "by hand with out=": Contestant("in_place"),
    "matrix products alone": Contestant("in_place", "products", works=("wide",)),
    "tinygrad_nn eager": Contestant("ours"),
    "tinygrad_nn compiled": Contestant("ours", "compiled"),
    "the same on one thread": Contestant(
        "ours", "compiled", {"threads": 1}, works=("elementwise",)
    ),
    "tinygrad_nn compiled, numba": Contestant(
        "ours", "compiled", {"target": "numba"}, needs=("numba",)
    ),
    "PyTorch eager": Contestant("with_torch", needs=("torch",)),
    "PyTorch fused Adam": Contestant(
        "with_torch", options={"fused": True}, needs=("torch",), works=("spiral", "digits")
    ),
    "torch.compile": Contestant(
        "with_torch", options={"fused": True, "compiled": True}, needs=("torch", "c++")
    ),
    "JAX jit": Contestant("with_jax", needs=("jax",)),
}
