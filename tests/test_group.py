"""All units of a workspace or folder are known to be up to date without loading any of them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ai_coding import group, journal

VERSION = "1.0"
Change = Callable[[Path], object]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with two members and data, a folder of two units, and what builds of them left in the journal."""
    monkeypatch.chdir(tmp_path)
    texts = {
        "w/all.toml": '[workspace]\nmembers = ["u*.toml"]\ndata = ["d/*.txt", "[", 1]\nroot = ".."\n',
        "w/u1.toml": "u1", "w/u2.toml": "u2", "d/a.txt": "a", "f/x.toml": "x", "f/y.toml": "x = =", "o/u1.py": "1",
    }  # fmt: skip
    for name, text in texts.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    for name in ("w/u1", "w/u2", "f/x", "f/y"):
        built(Path(f"{name}.toml"), [Path(f"{name}.toml"), Path(f"{name}.lock"), Path("w/all.toml")])
    return tmp_path


def built(spec: Path, files: list[Path], **more: object) -> None:
    seen = journal.fingerprints(path.absolute() for path in files)
    state = {"version": VERSION, "open": False, "seen": seen, "entry": spec.stem + ".py", **more}
    journal.put(Path("j"), "units", journal.unit(spec, Path("o")), state)


def remember(*paths: str, units: tuple[str, ...] = ("w/u1", "w/u2"), version: str = VERSION) -> None:
    pairs = [(Path(f"{name}.toml"), Path("o")) for name in units]
    group.remember(Path("j"), list(map(Path, paths)), Path("o"), version, pairs)


def fresh(*paths: str, out: str = "o", version: str = VERSION) -> list[str]:
    return group.fresh(Path("j"), list(map(Path, paths)), Path(out), version)


def test_nothing_is_known_of_what_was_never_built(home: Path) -> None:
    assert fresh("w/all.toml") == [] == fresh() and not Path("j/groups").exists()


def test_what_was_remembered_is_known(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of these paths in this order, for this folder and version, from wherever it is asked."""
    remember("w/all.toml")
    assert fresh("w/all.toml") == ["u1.py", "u2.py"] == fresh("w/../w/all.toml")
    assert (
        fresh("w/all.toml", "f") == fresh("w") == fresh("w/all.toml", out="p") == fresh("w/all.toml", version="2") == []
    )
    remember("f", "w", units=("f/y", "w/u1", "f/x"))
    assert fresh("f", "w") == ["y.py", "u1.py", "x.py"] and fresh("w", "f") == []
    monkeypatch.chdir("w")
    assert group.fresh(Path("../j"), [Path("all.toml")], Path("../o"), VERSION) == ["u1.py", "u2.py"]


def touch(name: str, text: str = "") -> Change:
    return lambda home: (home / name).write_text(text)


CHANGES: dict[str, tuple[Change, bool]] = {
    "a member": (touch("w/u2.toml", "new"), True),
    "a lock that was missing": (touch("w/u1.lock"), True),
    "the workspace": (touch("w/all.toml", "[workspace]\nmembers = []\n"), True),
    "a member more": (touch("w/u3.toml"), True),
    "data more": (touch("d/b.txt"), True),
    "a member less": (lambda home: (home / "w/u1.toml").unlink(), True),
    "no folder": (lambda home: (home / "d").rename(home / "e"), True),
    "no member": (touch("w/v.toml"), False),
    "no data": (touch("d/b.csv"), False),
    "another folder": (touch("f/z.toml"), False),
    "the same again": (touch("w/u2.toml", "u2"), False),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_the_answer(home: Path, name: str) -> None:
    change, counts = CHANGES[name]
    remember("w/all.toml")
    change(home)
    assert fresh("w/all.toml") == ([] if counts else ["u1.py", "u2.py"])


def test_a_folder_has_files_and_workspaces(home: Path) -> None:
    remember("f", units=("f/x", "f/y"))
    assert fresh("f") == ["x.py", "y.py"]
    touch("f/z.toml")(home)
    assert fresh("f") == []
    remember("w")
    touch("d/b.csv")(home)
    assert fresh("w") == ["u1.py", "u2.py"]
    touch("d/b.txt")(home)
    assert fresh("w") == [], "its workspace has data"


@pytest.mark.parametrize(
    "more", [{"open": True}, {"version": "0"}, {"seen": None}, {"seen": []}, {"entry": 1}, {"entry": None}]
)
def test_what_did_not_end_well_is_not_remembered(home: Path, more: dict[str, object]) -> None:
    built(Path("w/u2.toml"), [Path("w/u2.toml")], **more)
    remember("w/all.toml")
    assert fresh("w/all.toml") == []
    remember("w/all.toml", units=("w/u1", "w/none"))
    assert fresh("w/all.toml") == []
    remember("w/all.toml", units=("w/u1",), version="0")
    assert fresh("w/all.toml", version="0") == []


def test_a_file_that_changed_under_way(home: Path) -> None:
    touch("w/all.toml", "[workspace]\nmembers = ['u1.toml', 'u2.toml']\n")(home)
    built(Path("w/u2.toml"), [Path("w/u2.toml"), Path("w/all.toml")])
    remember("w/all.toml")
    assert fresh("w/all.toml") == []


def test_an_older_record_stays(home: Path) -> None:
    remember("w/all.toml")
    remember("w/all.toml", units=("w/none",))
    assert fresh("w/all.toml") == ["u1.py", "u2.py"]


def test_a_damaged_record_is_none(home: Path) -> None:
    remember("w/all.toml")
    (path,) = (path for path in Path("j/groups").rglob("*") if path.is_file())
    key, value = json.loads(path.read_text())["key"], json.loads(json.loads(path.read_text())["body"])
    assert list(value) == ["version", "programs", "seen", "globs"] and fresh("w/all.toml")
    for field in value:
        for wrong in (None, 1, "x", [1], [["x"]], {"x": 1}):
            journal.put(Path("j"), "groups", key, {**value, field: wrong})
            assert fresh("w/all.toml") == [], (field, wrong)
    for whole in (None, 1, [], {}):
        journal.put(Path("j"), "groups", key, whole)
        assert fresh("w/all.toml") == []
    path.write_text("{")
    assert fresh("w/all.toml") == []


def test_odd_files_and_patterns(home: Path) -> None:
    """A pipe, a folder called like a file, no TOML, nesting without end, patterns that are none."""
    os.mkfifo("f/pipe.toml")
    Path("f/folder.toml").mkdir()
    touch("f/deep.toml", "workspace = " + "[" * 10_000)(home)
    touch("f/odd.toml", '[workspace]\nmembers = ["", "/x", "**x", "\\u0000", ".", "a" ]\nroot = 1\n')(home)
    touch("f/other.toml", "workspace = 1\n")(home)
    (home / "f/bytes.toml").write_bytes(b"\xff")
    remember("f", "none.toml", units=("f/x", "f/y"))
    assert fresh("f", "none.toml") == ["x.py", "y.py"]
    touch("f/a")(home)
    assert fresh("f", "none.toml") == [], "a pattern that is fine counts beside others"


def test_it_costs_little() -> None:
    code = (
        "import sys\nfrom ai_coding import group\nfrom pathlib import Path\n"
        "group.fresh(Path('j'), [Path('f')], Path('o'), '1')\n"
        "ours = {name for name in sys.modules if name.startswith('ai_coding')}\n"
        "assert ours == {'ai_coding', 'ai_coding.group', 'ai_coding.journal'}, ours\n"
        "assert not {'tomlkit', 'tomllib', 'dataclasses'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
