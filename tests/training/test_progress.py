"""The progress line: rich where it is there, plain where not, silent where nobody looks."""

import io
import sys

from tinygrad_nn.training.progress import progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def test_nothing_is_shown_where_there_is_no_terminal():
    stream = io.StringIO()
    assert list(progress(range(5), 5, "working", stream)) == [0, 1, 2, 3, 4]
    assert stream.getvalue() == ""


def test_a_plain_line_grows_to_a_hundred_per_cent_without_rich(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    stream = Terminal()
    assert list(progress(range(1000), 1000, "working", stream)) == list(range(1000))
    shown = stream.getvalue().split("\r")
    assert len(shown) <= 103  # a hundred updates, not a thousand
    assert shown[1] == f"working [{'.' * 30}]   0 %"  # before the first is done
    assert shown[-1] == f"working [{'#' * 30}] 100 %\n"


def test_rich_shows_the_label_where_it_is_installed(monkeypatch):
    calls = []

    class Console:
        def __init__(self, file):
            self.file = file

    def track(items, description, total, console):
        calls.append((description, total, console.file))
        return items

    import types

    fakes = {
        "rich": types.ModuleType("rich"),
        "rich.console": types.ModuleType("rich.console"),
        "rich.progress": types.ModuleType("rich.progress"),
    }
    fakes["rich"].console, fakes["rich"].progress = fakes["rich.console"], fakes["rich.progress"]
    fakes["rich.console"].Console = Console
    fakes["rich.progress"].track = track
    for name, module in fakes.items():
        monkeypatch.setitem(sys.modules, name, module)
    stream = Terminal()
    assert list(progress(range(3), 3, "working", stream)) == [0, 1, 2]
    assert calls == [("working", 3, stream)]


def test_the_line_is_ended_also_when_the_work_stops_early(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    stream = Terminal()
    line = progress(range(10), 10, "working", stream)
    next(line)
    next(line)
    line.close()
    assert stream.getvalue().endswith("\n")
