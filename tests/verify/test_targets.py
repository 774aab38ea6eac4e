"""A user's own functions: found, imported as when run, and given inputs."""

import pickle
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.errors import ArgumentError, GradientError
from tinygrad_nn.verify import Verdict, checked
from tinygrad_nn.verify.command.arguments import parse_shapes
from tinygrad_nn.verify.command.importing import user_line
from tinygrad_nn.verify.command.targets import find_target


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a file into the current folder."""
    monkeypatch.chdir(tmp_path)

    def write(text, name="model.py"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text("import numpy as np\n" + textwrap.dedent(text), encoding="utf-8")
        return name

    return write


@pytest.fixture(autouse=True)
def tidy(tmp_path):
    """Whatever happens, the interpreter is left as it was."""
    path, arguments = list(sys.path), list(sys.argv)
    yield
    assert sys.path == path
    assert sys.argv == arguments
    files = [getattr(module, "__file__", None) or "" for module in sys.modules.values()]
    assert not [file for file in files if file.startswith(str(tmp_path))]


def results(target, shapes=None, **options):
    with find_target(target, shapes or {}, **options) as found:
        return [checked(check.name, check.run) for check in found.checks]


def inputs_of(target, shapes=None):
    """The names and shapes of what is checked, for each check."""
    found = results(target, shapes)
    assert [r.error for r in found] == [None] * len(found)
    return [{f.name: f.shape for f in r.report.findings if f.name != "all together"} for r in found]


def refusal(target, shapes=None):
    with pytest.raises(ArgumentError) as caught:
        results(target, shapes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- finding ----------------------------------------------------------------------------------


def test_a_function_of_a_file_is_checked(write):
    write("def f(x): return np.sin(x)\ndef g(x): return x")
    (result,) = results("model.py::f", {"x": (2, 3)})
    assert result.name == "model.py::f"
    assert result.report
    assert result.report.findings[0].shape == (2, 3)


def test_a_wrong_gradient_is_found_and_its_line_named(write):
    write(
        """
        import tinygrad_nn as tnn
        @tnn.primitive(derivatives={"x": lambda g, y, x: g * 2 * x**2})
        def cube(x):
            return x ** 3
        def f(x):
            return cube(x)
        """
    )
    (result,) = results("model.py::f", {"x": (3,)})
    assert result.report.verdict is Verdict.WRONG
    assert result.report.blame.source.line == 8
    (direct,) = results("model.py::cube", {"x": (3,)})
    assert direct.report.blame.source.line == 4  # where it is defined


def test_a_function_of_a_module_and_a_method(write):
    write("def f(x): return x * x\nclass C:\n    @staticmethod\n    def m(y): return y * y")
    assert inputs_of("model:f", {"x": ()}) == [{"x": ()}]
    assert inputs_of("model:C.m", {"y": (2,)}) == [{"y": (2,)}]
    assert inputs_of("model.py::C.m", {"y": (2,)}) == [{"y": (2,)}]
    assert inputs_of("numpy.linalg:norm", {"x": (4,)}) == [{"x": (4,)}]
    write("from .other import h", "package/__init__.py")
    write("def h(x): return x * x", "package/other.py")
    assert inputs_of("package:h", {"x": (1,)}) == [{"x": (1,)}]
    assert inputs_of("package.other:h", {"x": (1,)}) == [{"x": (1,)}]


def test_a_model_is_checked_by_its_parameters_too(write):
    write("import tinygrad_nn as tnn\nnet = tnn.nn.Dense(3, 2, rng=0)")
    expected = [{"x": (5, 3), "weights": (3, 2), "biases": (2,)}]
    assert inputs_of("model.py::net", {"x": (5, 3)}) == expected
    assert inputs_of("model.py::net.forward", {"x": (5, 3)}) == expected
    assert inputs_of("model.py", {"x": (5, 3)}) == expected


def test_a_file_alone_stands_for_every_public_function_with_known_inputs(write):
    write(
        """
        from numpy import sin
        def a(x=0.5): return x * x
        def b(x): return x
        def b_samples(): return np.ones(3)
        def c(x, y): return x * y
        def _private(x=1.0): return x
        class K: pass
        again = a
        """
    )
    with find_target("model.py") as found:
        assert [check.name for check in found.checks] == ["model.py::a", "model.py::b"]
        assert found.skipped == ["c"]
    with find_target("model") as found:
        assert [check.name for check in found.checks] == ["model:a", "model:b"]
    with find_target("model.py", {"x": (2,), "y": (2,)}) as found:
        assert [c.name for c in found.checks] == ["model.py::a", "model.py::b", "model.py::c"]


def test_only_what_all_names_is_public(write):
    write("__all__ = ['b']\ndef a(x=1.0): return x\ndef b(x=1.0): return x")
    with find_target("model.py") as found:
        assert [check.name for check in found.checks] == ["model.py::b"]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("", "got no file or module"),
        ("::f", "got no file or module"),
        ("model.py::", "got no function"),
        ("model:", "got no function"),
        ("modle.py", "did you mean model.py?"),
        ("nowhere/model.py::f", "there is none"),
        (".", "got a folder"),
        ("modul", "no module named 'modul'"),
        ("model.part:f", "no module named 'model.part'"),
        ("a..b:f", "dotted name"),
        ("model.py::los", "did you mean loss?"),
        ("model.py::np", "got a module"),
        ("model.py::K", "got the class K"),
        ("model.py::number", "got an int"),
        ("model.py::loss.part", "there is no 'part'"),
        ("model.py::nothing", "at least one argument"),
        ("x" * 5000 + ".py", "path of a file"),
        ("zero\0byte.py", "path of a file"),
    ],
)
def test_what_is_no_function_is_one_line(write, target, said):
    write("def loss(x): return x\nclass K: pass\nnumber = 3\ndef nothing(): return 1.0")
    assert said in refusal(target)


def test_a_file_without_functions_or_inputs_says_what_to_write(write):
    assert "expected a public function" in refusal(write("x = 1", "empty.py"))
    assert "expected a public function" in refusal(write("from numpy import sin", "imports.py"))
    said = refusal(write("def f(x): return x\ndef g(x): return x"))
    assert "f, g" in said
    assert "f_samples()" in said


# --- importing --------------------------------------------------------------------------------


def test_a_file_is_imported_as_when_it_is_run(write):
    write("K = 3.0\n", "helper.py")
    write(
        """
        import pickle, sys
        from dataclasses import dataclass
        from pathlib import Path
        from helper import K

        sys.path.append("somewhere")
        assert sys.argv[1:] == [] and Path(sys.argv[0]).name == "model.py"
        SCALE = float((Path(__file__).parent / "data.txt").read_text())

        @dataclass
        class Point:
            x: float

        def f(x=0.5):
            import late
            pickle.loads(pickle.dumps(Point(1.0)))
            return x * x * K * late.L * SCALE

        if __name__ == "__main__":
            raise SystemExit("not to be run")
        """,
        "folder/model.py",
    )
    write("K = 3.0", "folder/helper.py")
    write("L = 2.0", "folder/late.py")
    Path("folder/data.txt").write_text("7.0")
    (result,) = results("folder/model.py")
    assert result.error is None
    assert result.report
    assert not [*Path("folder").glob("__pycache__/model*")]


def test_two_files_of_one_name_do_not_clash(write):
    for number in (1, 2):
        write(f"from helper import K\ndef f(x=1.0): return x * K\nN = {number}", f"{number}/m.py")
        write(f"K = {number}.0", f"{number}/helper.py")
    for number in (1, 2):
        (result,) = results(f"{number}/m.py")
        cotangent_free = result.report.findings[0].elements[0].analytic
        assert cotangent_free == float(number)


def test_a_file_may_have_the_name_of_a_module_that_others_need(write):
    write(
        "def f(x=1.0):\n    import random\n    return x * random.seed.__name__.count('s')",
        "json.py",
    )
    (result,) = results("json.py::f")
    assert result.report
    assert sys.modules["json"].dumps({}) == "{}"


def test_names_may_be_anything(write):
    write("def größe(x): return x * x", "mein ding é.py")
    (result,) = results("mein ding é.py::größe", {"x": (2,)})
    assert result.name == "mein ding é.py::größe"
    assert result.report


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def f(:", "SyntaxError: invalid syntax, at {file}:2"),
        ("1 / 0", "ZeroDivisionError: division by zero, at {file}:2 in <module>"),
        ("def g():\n    raise ValueError('a\\nb')\ng()", "ValueError: a b, at {file}:3 in g"),
        ("import sys\nsys.exit(3)", "SystemExit: 3, at {file}:3"),
        ("import no_such_module", "No module named 'no_such_module', at {file}:2"),
        ("from . import x", "write package.module:function"),
        (
            "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
            "got E, at {file}",
        ),
    ],
)
def test_an_exception_while_importing_is_one_line_with_its_place(write, tmp_path, text, said):
    write(text)
    assert said.format(file=tmp_path / "model.py") in refusal("model.py::f")
    assert said.format(file=tmp_path / "model.py") in refusal("model:f")


def test_what_is_no_text_is_refused(tmp_path):
    file = tmp_path / "model.py"
    for data in (b"x = 1\0", np.arange(500, dtype=np.uint8).tobytes()):
        file.write_bytes(data)
        assert "expected code that can be imported" in refusal(f"{file}::f")


def test_an_interrupt_is_let_through_and_all_is_tidied_up(write):
    write("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        results("model.py::f")


# --- inputs -----------------------------------------------------------------------------------


def test_shapes_are_drawn_from_the_seed_by_name(write):
    write("seen = []\ndef f(x, y):\n    seen.append((x, y))\n    return x * np.sum(y)")

    def drawn(shapes, seed):
        with find_target("model.py::f", shapes, seed) as found:
            run = found.checks[0].run
            run()
            x, y = sys.modules["model"].seen[0]
            return x.numpy(), y.numpy()

    x, y = drawn({"x": (3,), "y": ()}, 1)
    assert x.shape == (3,)
    assert y.shape == ()
    again, _ = drawn({"y": (), "x": (3,)}, 1)
    np.testing.assert_array_equal(x, again)
    other, _ = drawn({"x": (3,), "y": ()}, 2)
    assert np.all(x != other)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return np.ones(2), np.ones(3)", [{"x": (2,), "y": (3,)}]),
        ("return {'y': np.ones(3), 'x': np.ones(2)}", [{"x": (2,), "y": (3,)}]),
        (
            "return [(np.ones(2), 1.0), {'x': 2.0, 'y': 3.0}]",
            [{"x": (2,), "y": ()}, {"x": (), "y": ()}],
        ),
        ("yield np.ones(2), 1.0\n    yield 1.0, 2.0", [{"x": (2,), "y": ()}, {"x": (), "y": ()}]),
        ("return ((i * 1.0, 1.0) for i in range(2))", [{"x": (), "y": ()}] * 2),
    ],
    ids=["tuple", "dict", "list", "yields", "generator"],
)
def test_samples_are_read_by_their_type(write, body, expected):
    write(f"def f(x, y): return np.sum(x) * np.sum(y)\ndef f_samples():\n    {body}")
    assert inputs_of("model.py::f") == expected


@pytest.mark.parametrize(
    "body",
    [
        "return np.ones((2, 3))",
        "return [np.ones((2, 3))]",
        "return (np.ones((2, 3)),)",
        "import tinygrad_nn as tnn\n    return tnn.Tensor(np.ones((2, 3)))",
    ],
)
def test_a_single_argument_needs_no_tuple(write, body):
    write(f"def f(x): return x\ndef f_samples():\n    {body}")
    assert inputs_of("model.py::f") == [{"x": (2, 3)}]


def test_several_samples_are_numbered(write):
    write("def f(x): return x\ndef f_samples(): return [1.0, 2.0]")
    assert [r.name for r in results("model.py")] == [
        "model.py::f, sample 1",
        "model.py::f, sample 2",
    ]


def test_samples_of_several_functions_are_a_dict_of_their_names(write):
    write(
        """
        def f(x): return x
        def g(x, y): return x * y
        class C:
            @staticmethod
            def m(x): return x
        def samples():
            return {"f": [1.0, 2.0], "g": (1.0, 2.0), "C.m": 3.0}
        """
    )
    assert "got 'C.m'" in refusal("model.py")  # which only checks what is public
    assert inputs_of("model.py::C.m") == [{"x": ()}]


def test_samples_belong_to_the_only_function_or_to_the_one_asked_for(write):
    write("def f(x): return x\ndef samples(): return [1.0, 2.0]")
    assert len(inputs_of("model.py")) == 2
    write("def f(x): return x\ndef g(x): return x\ndef samples(): return [1.0]")
    assert len(inputs_of("model.py::g")) == 1
    said = refusal("model.py")
    assert "f, g" in said
    assert "f_samples()" in said


def test_a_functions_own_samples_come_first(write):
    write(
        "def f(x): return x\ndef f_samples(): return np.ones(2)\ndef samples(): return np.ones(3)"
    )
    assert inputs_of("model.py") == [{"x": (2,)}]


def test_an_unrelated_function_called_samples_is_left_alone(write):
    write("def f(x=1.0): return x\ndef samples(n): return range(n)")
    assert "samples" not in [r.name for r in results("model.py::f")]
    write("def f(x=1.0): return x\nsamples = 100")
    assert inputs_of("model.py::f") == [{"x": ()}]


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ("def f_samples(): return None", "got None; return or yield them"),
        ("def f_samples(): return []", "at least one sample"),
        ("def f_samples(): return [[1.0, 2.0]]", "f_samples(), sample 1: expected a tuple"),
        ("def f_samples(): return 'x'", "got a str"),
        ("f_samples = [1.0]", "expected a function without arguments; got a list"),
        ("samples = [1.0]", "expected a function without arguments; got a list"),
        ("def f_samples(): return 1.0, 2.0, 3.0", "(x, y=2.0); got 3 of them"),
        ("def f_samples(): return {'z': 1.0}", "got 'z'"),
        ("def f_samples(): return {'y': 1.0}", "f_samples(): expected values for the argument x"),
        ("def f_samples(): return 1", "write 1.0 for 1"),
        ("def f_samples():\n    yield 1.0\n    1 / 0", "ZeroDivisionError: division by zero, at"),
        ("def f_samples(n): return 1.0", "missing 1 required positional argument"),
        ("def samples(): return {'x': 1.0}", "expected names of functions"),
        ("def samples(): return {'f': ([1.0] for _ in '1')}", "samples()['f'], sample 1"),
    ],
)
def test_samples_that_do_not_fit_are_one_line(write, samples, said):
    write(f"def f(x, y=2.0): return x * y\n{samples}")
    assert said in refusal("model.py::f")


def test_shapes_come_before_samples_and_those_before_defaults(write):
    write(
        """
        def f(x, labels, w=np.ones(3)): return np.sum(x * w) * len(labels)
        def f_samples(): return {"x": np.ones(3), "labels": np.array([1, 2])}
        """
    )
    assert inputs_of("model.py::f") == [{"x": (3,), "w": (3,)}]
    assert inputs_of("model.py::f", {"x": (4, 3)}) == [{"x": (4, 3), "w": (3,)}]
    assert inputs_of("model.py::f", {"w": (1,)}) == [{"x": (3,), "w": (1,)}]


def test_default_arrays_are_checked_and_numbers_only_where_there_is_nothing_else(write):
    write(
        """
        def arrays(x=np.ones(3), margin=1.0, dtype=np.float64, axis=None, how="mean"):
            assert type(margin) is float
            return np.sum(x * margin, axis=axis, dtype=dtype)
        def numbers(x=1.0, y=2.0, n=3): return x * y * n
        def given(x, margin=1.0):
            assert type(margin) is float
            return x * margin
        def integers(n=3): return n
        """
    )
    assert inputs_of("model.py::arrays") == [{"x": (3,)}]
    assert inputs_of("model.py::numbers") == [{"x": (), "y": ()}]
    assert inputs_of("model.py::given", {"x": (2,)}) == [{"x": (2,)}]
    assert "floating-point values for the argument n; got integers; write 1.0 for 1" in refusal(
        "model.py::integers"
    )


def test_every_kind_of_argument_is_handed_over(write):
    write(
        """
        def f(a, /, b, *rest, c, **more): return a * b * rest[0] * c * more["d"]
        def f_samples():
            return {"a": 1.0, "b": 2.0, "rest": (3.0,), "c": 4.0, "d": 5.0}
        def g(*xs): return xs[0] * xs[1]
        def g_samples(): return 1.0, 2.0
        def h(*, x, p): return x * p["w"]
        def h_samples(): return {"x": np.ones(2), "p": {"w": np.ones(2)}}
        """
    )
    (names,) = inputs_of("model.py::f")
    assert list(names) == ["a", "b", "rest[0]", "c", "more['d']"]
    assert inputs_of("model.py::g") == [{"xs[0]": (), "xs[1]": ()}]
    assert inputs_of("model.py::h") == [{"x": (2,), "p['w']": (2,)}]


def test_missing_inputs_name_the_argument_and_the_three_ways(write):
    write("def f(x, y): return x * y\ndef g(*xs): return xs[0]")
    said = refusal("model.py::f", {"x": (2,)})
    for part in ("model.py::f", "argument y", "--shape y=3,4", "f_samples()", "default"):
        assert part in said
    assert "--shape" not in refusal("model.py::g")


def test_a_shape_of_an_unknown_argument_names_those_there_are(write):
    write("def f(x, y=1.0): return x * y")
    assert "one of x, y; got z" in refusal("model.py::f", {"z": (2,)})
    assert "one of x, y; got z" in refusal("model.py", {"z": (2,)})


@pytest.mark.parametrize("text", ["x", "=3", "x=a", "x=-1", "x=3,,4", "x=3x4", "x=1.5", ""])
def test_a_shape_that_cannot_be_read_says_how_to_write_it(text):
    with pytest.raises(ArgumentError, match="expected NAME=3,4"):
        parse_shapes([text])


def test_shapes_are_refused_twice_or_too_large():
    assert parse_shapes(["x=3,", "y= 2 , 0 "]) == {"x": (3,), "y": (2, 0)}
    with pytest.raises(ArgumentError, match="x twice"):
        parse_shapes(["x=3", "x=4"])
    with pytest.raises(ArgumentError, match="at most"):
        parse_shapes(["x=999999,999999"])


# --- running ----------------------------------------------------------------------------------


def test_an_exception_in_a_function_is_its_result_with_the_users_line(write, tmp_path):
    write(
        """
        import sys
        def f(x):
            return helper(x)
        def helper(x):
            raise ValueError("no")
        def leave(x): sys.exit(3)
        """
    )
    (result,) = results("model.py::f", {"x": (2,)})
    assert isinstance(result.error, ValueError)
    assert user_line(result.error) == (str(tmp_path / "model.py"), 7, "helper")
    (result,) = results("model.py::leave", {"x": (2,)})
    assert isinstance(result.error, GradientError)
    assert "SystemExit: 3" in str(result.error)
    assert user_line(result.error).line == 8


def test_the_order_and_the_seed_are_those_of_the_check(write):
    write("def f(x): return x ** 3")
    (result,) = results("model.py::f", {"x": (2,)}, order=2)
    assert [f.order for f in result.report.findings] == [1, 2]


def test_results_outlive_the_import(write):
    write("import tinygrad_nn as tnn\ndef f(x): return tnn.Tensor(x.numpy()) * x")
    (result,) = results("model.py::f", {"x": (2,)})
    assert not result.report
    assert "blame" in str(result.report)
    assert pickle.loads(pickle.dumps(result.report.findings))
    assert tnn.gradcheck(np.sin, 1.0)
