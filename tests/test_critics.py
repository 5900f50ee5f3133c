"""Critics run in order until one finds an error; a Box runs commands beside a program. Critics here are fakes."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from ai_coding import critics, ir, sandbox
from ai_coding.critics import Box, lay
from ai_coding.diagnostic import Diagnostic

NAMES = ("syntax", "flake8", "interface", "tests")
Found = tuple[list[Diagnostic], list[str]]
TEXT = ir.Language("text", "txt")
SPEC = ir.Spec(Path("x.toml"), "a.b/x.y", TEXT, {"": "…"}, critics=NAMES)
PROGRAM = ir.Program({"a.b/x.y.txt": "mine é\n", "other": "2"}, "a.b/x.y.txt")
SHOWN, HIDDEN = ir.Test("shown"), ir.Test("hidden")


Put = Callable[[str, Callable[[Box], Found]], None]


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Put:
    def put(name: str, check: Callable[[Box], Found]) -> None:
        module = ModuleType(f"ai_coding.critics.{name}")
        module.__dict__["check"] = check
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(critics, name, module, raising=False)

    return put


@pytest.mark.parametrize(
    "severities, order, ran, reached",
    [
        ({}, NAMES, NAMES, 5),
        ({}, (), (), 1),
        ({name: "warning" for name in NAMES}, NAMES, NAMES, 5),
        ({"flake8": "error"}, NAMES, ("syntax", "flake8"), 2),
        ({"syntax": "note", "interface": "error", "tests": "error"}, NAMES, ("syntax", "flake8", "interface"), 3),
        ({"tests": "error"}, ("tests",), ("tests",), 1),
        ({"syntax": "error"}, ("tests", "syntax", "flake8"), ("tests", "syntax"), 2),
    ],
)
def test_they_run_in_order_until_one_finds_an_error(
    put: Put, severities: dict[str, str], order: tuple[str, ...], ran: tuple[str, ...], reached: int
) -> None:
    for name in NAMES:
        found = [Diagnostic(severities[name], name, "m")] * 2 if name in severities else []
        put(name, lambda box, found=found, name=name: (found, [f"{name} passed"]))  # type: ignore[misc]
    verdict = critics.judge(replace(SPEC, critics=order), PROGRAM, (), {}, "some tier")
    wanted = tuple(Diagnostic(severities[name], name, "m") for name in ran if name in severities for _ in range(2))
    assert verdict == ir.Verdict(wanted, reached, tuple(f"{name} passed" for name in ran), "some tier")


def test_a_critic_sees_the_program_with_what_is_beside_it(put: Put) -> None:
    """Hand-written files come first, then the programs of used units, then its own; the folder goes in the end."""
    seen: list[Box] = []

    def check(box: Box) -> Found:
        home = box.folder / "program"
        files = {str(p.relative_to(home)): p.read_bytes() for p in home.rglob("*") if p.is_file()}
        assert files == {"a.b/x.y.txt": "mine é\n".encode(), "other": b"2", "used": b"b", "data": b"\xff"}
        assert box.folder.stat().st_mode & 0o777 == 0o700
        seen.append(box)
        box.run(["mkdir", "-p", "left/behind"])
        raise KeyboardInterrupt

    put("tests", check)
    spec = replace(SPEC, critics=("tests",), tests=(SHOWN, HIDDEN), data={"data": b"\xff", "used": b"d", "other": b"d"})
    beside = {"used": "b", "other": "b", "a.b/x.y.txt": "b"}
    with pytest.raises(KeyboardInterrupt):
        critics.judge(spec, PROGRAM, [SHOWN], beside, sandbox.UNSAFE)
    (box,) = seen
    assert (box.spec, box.program, list(box.tests), box.beside, box.tier) == (spec, PROGRAM, [SHOWN], beside, "unsafe")
    assert not box.folder.exists()


@pytest.fixture
def box(tmp_path: Path) -> Box:
    lay(tmp_path / "program", PROGRAM.files)
    return Box(SPEC, PROGRAM, (), {}, sandbox.UNSAFE, tmp_path)


def test_a_command_is_run_in_a_copy_with_its_files_input_and_environment(box: Box) -> None:
    (box.folder / "program/link").symlink_to("/nowhere")
    script = 'cat a.b/x.y.txt other new/file -; echo "$A $1 $2"; readlink link; echo changed >other; exit 3'
    command = ["sh", "-c", script, "sh", "<{entry}{stem}>", "{other}"]
    result, folder = box.run(command, {"new/file": b"\xfe\n", "other": "ü\n"}, "stdin é\n", {"A": "a"})
    said = b"mine \xc3\xa9\n\xc3\xbc\n\xfe\nstdin \xc3\xa9\na <a.b/x.y.txta.b/x.y> {other}\n/nowhere\n"
    assert result == sandbox.Result(3, said, b"")
    assert (folder / "other").read_text() == "changed\n" and folder.parent == box.folder
    assert (box.folder / "program/other").read_text() == "2" and not (box.folder / "program/new").exists()
    assert box.run(["cat", "other"])[0].stdout == b"2" and box.run(["sleep", "9"], timeout=0.2)[0].ended == "time"


def test_what_a_command_writes_stays_only_if_it_is_to_be_kept(box: Box) -> None:
    result, folder = box.run(["sh", "-c", "cat extra >kept"], {"extra": "e"}, keep=True)
    assert (result.exit_code, folder) == (0, box.folder / "program")
    first, second = (box.run(["sh", "-c", "cat kept extra; rm kept"]) for _ in range(2))
    assert first[0].stdout == second[0].stdout == b"ee" and first[1] != second[1]


def test_files_are_laid_with_their_folders_over_what_is_there(tmp_path: Path) -> None:
    lay(tmp_path / "new", {"a/b/c": "\r\n漢", "d": b"\x00"})
    lay(tmp_path / "new", {"d": "", "a/e": "e"})
    assert [(tmp_path / "new" / p).read_bytes() for p in ("a/b/c", "d", "a/e")] == ["\r\n漢".encode(), b"", b"e"]


def test_importing_it_imports_no_critic() -> None:
    code = f"import sys, ai_coding.critics; print([n for n in {NAMES} if 'ai_coding.critics.' + n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert done.stdout == "[]\n"
