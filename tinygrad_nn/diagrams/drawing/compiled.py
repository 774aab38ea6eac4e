"""Scenes of compiled programs: equations in their phases, with what they read and write."""

from ..._scope import Scope
from ...compiler import CompiledStep, Equation, Value
from ..labels import shortened, static_text
from ..places import innermost_common
from .scene import Box, Details, Kind, Link, Scene

__all__ = ["program_scene"]


def program_scene(step: CompiledStep) -> Scene:
    """The scene of the program that ran last. Programs have no values of their own to show."""
    built = step.built
    program, names = built.program, built.names
    state = set(built.layout.state)
    results = set(program.results)
    users = program.users()
    of: dict[Value, Box] = {}
    boxes: list[Box] = []
    links: list[Link] = []
    for value in (*program.inputs, *program.constants):
        kind = Kind.INPUT if value in built.layout.arguments else Kind.CONSTANT
        kind = Kind.PARAMETER if value in state else kind
        scopes = [_scope(e) for e in users.get(value, ())]
        # What is read in several phases stands beside them.
        scope = innermost_common(scopes) if scopes else ()
        of[value] = Box(kind, names[value], scope, str(value.shape), None, value)
        boxes.append(of[value])
    for equation in program.equations:
        kind = Kind.OUTPUT if results & set(equation.outputs) else Kind.OPERATION
        outputs = equation.outputs
        shape = str(outputs[0].shape) if outputs else ""
        title = getattr(equation.function, "__name__", repr(equation.function))
        box = Box(kind, title, _scope(equation), shape, equation.origin.site, equation)
        boxes.append(box)
        links += [Link(of[value], box) for value in equation.inputs]
        of.update(dict.fromkeys(outputs, box))

    def details(box: Box) -> Details:
        if isinstance(box.item, Value):
            return Details(_kind_of(box.item))
        equation: Equation = box.item
        made = [f"makes {names[v]}" for v in equation.outputs[:1]]
        options = {k: v for k, v in equation.kwargs.items() if not isinstance(v, Value)}
        notes = [*made, *filter(None, [shortened(static_text(options))])]
        return Details((*notes, *(_kind_of(equation.outputs[0]) if equation.outputs else ())))

    return Scene(boxes, links, details)


def _scope(equation: Equation) -> Scope:
    """Phase, then layer, then the loss, activation or rule that an equation is part of."""
    origin = equation.origin
    function = getattr(origin.function, "__name__", None)
    inner = (function,) if function and function not in origin.scope else ()
    phase = (origin.phase,) if origin.phase else ()  # what unpacks the state belongs to none
    return (*phase, *origin.scope, *inner)


def _kind_of(value: Value) -> tuple[str, ...]:
    return ("a number",) if value.weak else (f"{value.shape} {value.dtype}",)
