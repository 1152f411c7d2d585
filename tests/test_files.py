"""Files are written atomically."""

import hashlib
import os
import subprocess
import sys

import pytest

from beadctl.errors import OutputError
from beadctl.files import atomic, sha256, write_bytes, write_csv, write_text


def test_a_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "folder" / "table.csv"
    with atomic(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".csv"
        assert temporary.name.startswith(".")
        temporary.write_text("1")
        assert not path.exists()
    assert path.read_text() == "1"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_the_old_file_survives_an_exception(tmp_path, error):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(error), atomic(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_writer_leaves_no_partial_file(tmp_path):
    code = (
        "import sys, pathlib, time\n"
        "from beadctl.files import atomic\n"
        "with atomic(pathlib.Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half'); print('now', flush=True); time.sleep(60)\n"
    )
    path = tmp_path / "out" / "table.csv"
    process = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE)
    assert process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    assert not path.exists()
    assert all(left.name.startswith(".") for left in path.parent.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_permissions_are_those_of_the_umask(tmp_path):
    before = os.umask(0o022)
    try:
        write_text(tmp_path / "a.txt", "a")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


def test_an_unwritable_path_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written") as caught:
        write_text(tmp_path / "file" / "a.txt", "a")
    assert "\n" not in str(caught.value)
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(OutputError, match=r"folder\.txt: cannot be written"):
        write_text(tmp_path / "folder.txt", "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.txt"]


def test_text_is_utf8_with_unix_line_ends(tmp_path):
    write_text(tmp_path / "a", "µm\n")
    assert (tmp_path / "a").read_bytes() == b"\xc2\xb5m\n"


def test_sha256_is_that_of_the_content(tmp_path):
    content = os.urandom(3_000_000)
    write_bytes(tmp_path / "a", content)
    assert sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_csv_cells_are_rounded_on_request(tmp_path):
    row = {"a": 1 / 3, "b": None, "c": True, "d": "x, y"}
    for rounded, line in ((True, '0.333333,,true,"x, y"'), (False, f'{1 / 3!r},,True,"x, y"')):
        write_csv(tmp_path / "a.csv", tuple(row), [row], rounded=rounded)
        assert (tmp_path / "a.csv").read_text() == f"a,b,c,d\n{line}\n"
