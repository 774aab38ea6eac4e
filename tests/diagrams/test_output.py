"""Writing files: whole or not at all, and into what is no plain file."""

import os
import stat
import subprocess
import sys

import pytest

from tinygrad_nn.diagrams import write_file
from tinygrad_nn.errors import OutputError

WRITES = "import sys; from tinygrad_nn.diagrams import write_file; write_file(sys.argv[1], 'new')"

# Devices are named through links of our own: what replaces one then does the machine no harm.


@pytest.fixture
def link(tmp_path):
    return tmp_path / "link"


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    before = path.stat().st_ino
    assert write_file(path, "new") == path
    assert path.read_text() == "new"
    assert path.stat().st_ino != before
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_written_into(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert write_file(str(path), b"new") == path
        assert stat.S_ISFIFO(path.stat().st_mode)
        assert os.read(reader, 10) == b"new"
    finally:
        os.close(reader)
    assert [p.name for p in tmp_path.iterdir()] == ["pipe"]


def test_a_device_is_written_into(link):
    link.symlink_to(os.devnull)
    write_file(link, "new")
    assert link.is_symlink()
    assert stat.S_ISCHR(link.stat().st_mode)


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="the system has no such file")
def test_the_standard_output_is_written_into(link, tmp_path):
    link.symlink_to("/dev/stdout")
    command = [sys.executable, "-c", WRITES, str(link)]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"new"
    assert link.is_symlink()
    with open(tmp_path / "file", "wb") as file:
        subprocess.run(command, stdout=file, check=True)
    assert (tmp_path / "file").read_text() == "new"
    assert link.is_symlink()


def test_a_link_stays_and_the_file_behind_it_is_replaced(link, tmp_path):
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    link.symlink_to(path)
    for text in ("old", "new"):  # at first there is no such file
        assert write_file(link, text) == link
        assert link.is_symlink()
        assert path.read_text() == text
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_what_cannot_be_written_is_told_and_nothing_is_left(tmp_path):
    for path in (tmp_path, tmp_path / "missing" / "file"):
        with pytest.raises(OutputError, match="cannot be written: "):
            write_file(path, "new")
    assert not list(tmp_path.iterdir())
