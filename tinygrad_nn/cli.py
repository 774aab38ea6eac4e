"""The command ``tinygrad-nn``: demo, gradcheck, draw, explain and explore.

Exit status 0 means all is right, 1 that a derivative is wrong, 2 that the command cannot be
carried out as given: one line says why, and no traceback.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from . import __version__
from .errors import TinygradNNError
from .gradcheck_command import add_gradcheck
from .picture_commands import add_pictures

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options, unknown = _parser().parse_known_args(arguments)
    if unknown:  # told with the usage of the command itself
        options.refuse(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has enough of it; what is left has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (TinygradNNError, OSError) as error:
        print(f"tinygrad-nn {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"tinygrad-nn {options.command}: interrupted", file=sys.stderr)
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tinygrad-nn",
        description="Train, check and draw small neural networks on an autograd engine of NumPy.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser(
        "demo",
        help="train a network on the spiral data, check its gradients, draw its graph",
        description="Train a 2-64-3 network on the spiral data with Adam, check its gradients by "
        "finite differences, and write graph.svg, training.svg, report.txt, training.html: the run "
        "as a page with a slider through its epochs, and train_step.py: the training step as a "
        "program that needs NumPy alone.",
    )
    demo.add_argument(
        "-o", "--out", default="tinygrad_nn_demo", metavar="FOLDER",
        help="where to write (default: %(default)s)",
    )  # fmt: skip
    demo.add_argument(
        "--epochs", type=int, default=2000, metavar="N", help="steps (default: %(default)s)"
    )
    demo.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of data and weights (default: %(default)s)",
    )
    demo.add_argument(
        "--eager", action="store_true", help="record each step, and do not compile it to NumPy"
    )
    demo.set_defaults(run=_demo, refuse=demo.error)

    add_gradcheck(commands)
    add_pictures(commands)
    return parser


def _demo(options: argparse.Namespace) -> int:
    from .training import run_demo  # on use: each command loads what it needs

    demo = run_demo(options.out, options.epochs, options.seed, eager=options.eager)
    print(f"accuracy {demo.accuracy:.4f}, loss {demo.loss:.4f} after {options.epochs} epochs")
    print(f"gradients of all parameters: {demo.check.verdict.value}")
    for file in demo.files:
        print(f"wrote {file}")
    return 0 if demo.check else 1
