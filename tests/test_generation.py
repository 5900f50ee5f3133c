"""What belongs to a generation, where it is, and how many lines it has."""

from pathlib import Path

import pytest
from ai_coding import generation
from ai_coding.ir import Language, Spec, digest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Files that belong to a generation, and some that do not."""
    for name in (
        "ai_coding/a.py", "ai_coding/deep/er/b.j2", "self/ai_coder.toml", "self/a.toml", "self/a.lock", "setup.py",
        "ai_coding/__pycache__/a.pyc", "ai_coding/deep/__pycache__/x/b.pyc", "self/README.md", "self/deep/c.toml",
        "README.md", "tests/test_a.py", "tests/deep/b.py", "tests/note.txt",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{name}\nmore\n")
    return tmp_path


def spec(root: Path, name: str, **rest: object) -> Spec:
    path = root / f"self/{Path(name).name}.toml"
    return Spec(path, name, Language("python", "py"), {}, **rest)  # type: ignore[arg-type]


def test_the_tree(root: Path) -> None:
    found = generation.tree(root)
    names = ["ai_coding/a.py", "ai_coding/deep/er/b.j2", "self/a.lock", "self/a.toml", "self/ai_coder.toml", "setup.py"]
    assert list(found) == names
    assert found["setup.py"] == digest(b"setup.py\nmore\n")
    (root / "setup.py").unlink()
    assert list(generation.tree(root)) == names[:-1]
    assert generation.tree(root / "nothing") == {}


def test_the_manifest(tmp_path: Path) -> None:
    for name in ("report.json", "NOTES.md", "self/NOTES.md", "transcripts/a.json", "ai_coding/__pycache__/x", "x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"\xff")
    assert generation.manifest(tmp_path) == dict.fromkeys(["self/NOTES.md", "transcripts/a.json", "x"], digest(b"\xff"))


def test_where_generations_are(tmp_path: Path) -> None:
    assert generation.iterations(tmp_path) == []
    for name in ("iter10", "iter9", "iter0", "iter01", "iterx", "iter-1", "other"):
        (tmp_path / "history" / name).mkdir(parents=True)
    (tmp_path / "history/iter11").write_text("a file")
    assert generation.iterations(tmp_path) == [0, 9, 10]
    assert generation.home(10) == "history/iter10"
    assert generation.transcript(9, spec(tmp_path, "ai_coding/deep")) == "history/iter9/transcripts/deep.json"
    assert generation.SELF == Path("self/ai_coder.toml") and generation.WORK == Path(".self")


def test_lines(root: Path) -> None:
    (root / "ai_coding/more.py").write_text("1\n2\n3")
    data = {"ai_coding/x.j2": b"1\n", "ai_coding/y.j2": b"1\n2"}
    specs = [spec(root, "ai_coding/a", data=data), spec(root, "ai_coding/missing", data=data)]
    assert list(generation.counts(root, specs).items()) == [
        ("generated", 2), ("not generated", 3), ("requirement files", 4), ("templates and tables", 3), ("tests", 4),
    ]  # fmt: skip


def test_what_cannot_be_read_has_no_content(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\x00\xff")
    assert generation.content(tmp_path / "x") == b"\x00\xff"
    for path in (tmp_path, tmp_path / "nothing", tmp_path / "x/y", Path("a\0b"), Path("a" * 5000)):
        assert generation.content(path) is None


def test_problems_name_the_file_and_a_way_out() -> None:
    found = generation.problem("differs", "setup.py", "it is another")
    assert (found.severity, found.code, found.message) == ("error", "differs", "it is another")
    assert found.span and (found.span.file, found.span.line) == ("setup.py", 0) and found.help == generation.CHANGE
    found = generation.damaged("history/iter0/x", "it is gone")
    assert (found.severity, found.code) == ("error", "damaged-archive")
    assert found.message == "history/iter0/x is damaged: it is gone"
    assert found.span and found.span.file == "history/iter0/x" and "version control" in found.help
    assert "ai_coding self" in generation.CHANGE and "ai_coding self" not in found.help
    assert generation.damaged("x", "y", "no-replay").code == "no-replay"
