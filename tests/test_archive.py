"""A generation is archived and put in place; whatever kills that leaves the old package or the new one, whole."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import ai_coding
import pytest
from ai_coding import archive, generation, lock, transcript
from ai_coding.ir import Language, Program, Spec
from ai_coding.lock import Lock
from ai_coding.transcript import Question, Unit

NEW = Lock(
    {}, {}, Program({}, "ai_coding/a.py"), model="m", passed=("behaves",), digests={"ai_coding/a.py": "sha256:1"}
)
FILES = {
    "ai_coding/a.py": "new", "ai_coding/x/y.j2": "new", "ai_coding/iteration.txt": "old\n", "setup.py": "new",
    "self/a.toml": "# a\n", "self/a.lock": lock.write(NEW, committed=True), "self/README.md": "", "README.md": "",
    "ai_coding/__pycache__/a.pyc": "", "ai_coding/README.md": "", "tests/test_a.py": "",
}  # fmt: skip
OLD = {
    "ai_coding/a.py": "old",
    "ai_coding/gone.py": "",
    "self/a.toml": "edited",
    "self/gone.lock": "",
    "setup.py": "old",
}


def lay(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An old package, and a new one in .self/one."""
    lay(tmp_path / "tree", OLD)
    lay(tmp_path / "tree/.self/one", FILES)
    return tmp_path / "tree"


def units(root: Path) -> list[Unit]:
    """One that was asked for twice, one that was not."""
    asked = Spec(root / ".self/one/self/a.toml", "ai_coding/a", Language("python", "py"), {})
    quiet = Spec(root / ".self/one/self/b.toml", "ai_coding/b", Language("python", "py"), {})
    first = {"text": "1", "input_tokens": 3, "output_tokens": 4}
    steps = (Question("sha256:1", "m", first), Question("sha256:2", "m", {"text": "2"}))
    return [Unit(asked, NEW, NEW, steps), Unit(quiet, NEW, NEW, ())]


def inside(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_archive(root: Path) -> None:
    lay(root / ".self/archive", {"leftover": ""})
    assert archive.write(root, root / ".self/one", units(root), " Why.\n") == 0
    home = root / "history/iter0"
    assert inside(home) == [
        "NOTES.md", "ai_coding/a.py", "ai_coding/iteration.txt", "ai_coding/x/y.j2", "report.json", "self/a.lock",
        "self/a.toml", "setup.py", "transcripts/a.json",
    ]  # fmt: skip
    assert (home / "NOTES.md").read_text() == "# Iteration 0\n\nWhy.\n"
    assert (home / "ai_coding/iteration.txt").read_text() == "0\n"
    assert (home / "transcripts/a.json").read_bytes() == transcript.write(units(root)[0], None)
    assert (root / ".self/promoting").read_text() == "0\n"
    assert {name: (root / name).read_text() for name in OLD} == OLD, "nothing is in place yet"


def test_the_report(root: Path) -> None:
    archive.write(root, root / ".self/one", units(root), "")
    report = json.loads((root / "history/iter0/report.json").read_bytes().decode("ascii"))
    row = {"requests": 2, "passed_at_first_attempt": False, "model": "m", "input_tokens": 3, "output_tokens": 4}
    assert list(report) == ["iteration", "units", "lines", "files"] and report["iteration"] == 0
    assert report["units"]["ai_coding/a.py"] == {**row, "tests": ["behaves"]}
    none = {"requests": 0, "passed_at_first_attempt": None, "input_tokens": 0, "output_tokens": 0}
    assert report["units"]["ai_coding/b.py"] == {**row, **none, "tests": ["behaves"]}
    assert report["files"] == generation.manifest(root / "history/iter0") and "transcripts/a.json" in report["files"]
    assert report["lines"] == generation.counts(root / ".self/one", [unit.spec for unit in units(root)])
    assert (root / "history/iter0/NOTES.md").read_text() == "# Iteration 0\n\nNo notes.\n"


def test_the_next_number_and_its_base(root: Path) -> None:
    (root / "history/iter9").mkdir(parents=True)
    (root / "history/iter4").mkdir()
    assert archive.write(root, root / ".self/one", units(root)[:1], "") == 10
    assert json.loads((root / "history/iter10/transcripts/a.json").read_text())["base"] == 9


def test_promoted(root: Path) -> None:
    archive.write(root, root / ".self/one", units(root), "")
    lay(root / ".self", {"fresh/leftover": "", "old/leftover": ""})
    archive.promote(root)
    assert inside(root / "ai_coding") == ["a.py", "iteration.txt", "x/y.j2"]
    assert (root / "ai_coding/a.py").read_text() == (root / "setup.py").read_text() == "new"
    assert (root / "self/a.lock").read_text() == FILES["self/a.lock"] and not (root / "self/gone.lock").exists()
    assert (root / "self/a.toml").read_text() == "edited", "a person may have gone on editing"
    assert not any((root / ".self" / name).exists() for name in ("promoting", "fresh", "old", "commit", "archive"))


def test_nothing_to_promote(root: Path) -> None:
    before = inside(root)
    archive.promote(root)
    assert inside(root) == before
    lay(root, {".self/promoting": "3\n"})
    archive.promote(root)
    assert inside(root) == before, "the run was killed before its archive was there: nothing was decided"
    lay(root, {".self/promoting": "x"})
    with pytest.raises(ValueError, match="x"):
        archive.promote(root)


def test_an_archive_without_setup_and_a_tree_without_package(root: Path) -> None:
    (root / ".self/one/setup.py").unlink()
    archive.write(root, root / ".self/one", units(root), "")
    shutil.rmtree(root / "ai_coding")
    archive.promote(root)
    assert (root / "ai_coding/a.py").read_text() == "new" and (root / "setup.py").read_text() == "old"


def test_a_commit_of_a_killed_run_is_finished_first(root: Path) -> None:
    archive.write(root, root / ".self/one", units(root), "")
    lay(root, {".setup.py.staged": "half", "other": "", ".other.staged": "finished"})
    moves = [
        [str(root / ".other.staged"), str(root / "other")],
        [str(root / ".setup.py.staged"), str(root / "setup.py")],
    ]
    lay(root, {".self/commit": json.dumps(moves)})
    archive.promote(root)
    assert (root / "other").read_text() == "finished" and (root / "setup.py").read_text() == "new"


TOUCHING = {
    "open",
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "shutil.rmtree",
    "shutil.copytree",
    "ctypes.dlopen",
}


def killed(root: Path, after: int) -> bool:
    """Archive and promote in a child that is killed after so many steps on files; False if it ended before."""
    child = os.fork()
    if not child:
        left = iter(range(after))

        def count(event: str, _: object) -> None:
            if event in TOUCHING and next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(count)
            archive.write(root, root / ".self/one", units(root), "")
            archive.promote(root)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def test_killed_anywhere(root: Path, tmp_path: Path) -> None:
    """Whenever the run was killed, the package is whole, and the next start makes everything new or leaves it old."""
    news = []
    step, going = 0, True
    while going:
        tree = tmp_path / f"tree{step}"
        shutil.copytree(root, tree)
        going = killed(tree, step)
        assert inside(tree / "ai_coding") in (["a.py", "gone.py"], ["a.py", "iteration.txt", "x/y.j2"])
        archive.promote(tree)
        is_new = (tree / "history/iter0").exists()
        news.append(is_new)
        expected = "new" if is_new else "old"
        assert (tree / "ai_coding/a.py").read_text() == (tree / "setup.py").read_text() == expected
        assert (tree / "self/a.lock").exists() == is_new and (tree / "self/gone.lock").exists() != is_new
        assert (tree / "self/a.toml").read_text() == "edited" and not (tree / ".self/promoting").exists()
        assert archive.write(tree, tree / ".self/one", units(tree), "") == is_new
        shutil.rmtree(tree)
        step += 1
    assert news == sorted(news) and len(set(news[:-1])) == 2


def test_readers_see_a_whole_package_at_any_time(root: Path) -> None:
    """A process promotes over and over; a file that both packages have is there at each look."""
    archive.write(root, root / ".self/one", units(root), "")
    code = (
        "import sys\nfrom pathlib import Path\nfrom ai_coding import archive\nroot = Path(sys.argv[1])\n"
        "print('go', flush=True)\nwhile True:\n"
        "    (root / '.self/promoting').write_text('0')\n    archive.promote(root)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(ai_coding.__file__).parent.parent)}
    with subprocess.Popen([sys.executable, "-c", code, str(root)], stdout=subprocess.PIPE, env=env) as run:
        assert run.stdout and run.stdout.readline() == b"go\n"
        until, seen = time.monotonic() + 1, set()
        while time.monotonic() < until:
            seen.add((root / "ai_coding/a.py").read_text())
        run.kill()
    assert "new" in seen and seen <= {"old", "new"}
