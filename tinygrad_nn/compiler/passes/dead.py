"""Dead code: what nothing depends on is not computed."""

from dataclasses import replace

from ..program import Program, Value

__all__ = ["without_dead_code"]


def without_dead_code(program: Program) -> Program:
    """Keep the equations that an output, a draw or a check depends on, and the inputs of those."""
    needed: set[Value] = set(program.results)
    kept = []
    for equation in reversed(program.equations):
        if equation.effect or not needed.isdisjoint(equation.outputs):
            needed.update(equation.inputs)
            kept.append(equation)
    return replace(
        program,
        inputs=tuple(v for v in program.inputs if v in needed),
        equations=tuple(reversed(kept)),
        constants={v: a for v, a in program.constants.items() if v in needed},
    )
