"""The tests of a requirement file are run in the sandbox; what fails is told so that a model can mend it."""

import re
from pathlib import Path
from typing import Any

import pytest
from ai_coding import ir, sandbox
from ai_coding.critics import Box, lay, tests
from ai_coding.diagnostic import Diagnostic, Span

SHELL = ir.Language("shell", "sh", run=("sh", "{entry}"))
BUILT = ir.Language("built", "b", compile=("sh", "{entry}"), run=("./made.{stem}",))
IDLE = ir.Language("idle", "i")
SAY = "printf 'a\\nb\\nc\\nd\\ne\\n'"


def judge(folder: Path, code: str, *rows: ir.Test, language: ir.Language = SHELL) -> tuple[list[Diagnostic], list[str]]:
    spec = ir.Spec(Path("x.toml"), "x", language, {"": "…"}, tests=(ir.Test("not asked for"),))
    program = ir.Program({spec.entry: code}, spec.entry)
    lay(folder / "program", program.files)
    return tests.check(Box(spec, program, rows, {}, sandbox.UNSAFE, folder))


@pytest.mark.parametrize(
    "code, row",
    [
        ("", {}),
        ("exit 7", {"exit_code": 7}),
        ("kill -9 $$", {"exit_code": -9}),
        ("echo b; echo c >&2; cat", {"stdout": "b\né", "stdin": "é"}),
        ('echo "$A" "$@"', {"args": ("1 2", "{entry}", "*"), "env": {"A": "é"}, "stdout": "é 1 2 x.sh *\n"}),
        ("cat f/a b", {"files": {"f/a": "1", "b": "no"}, "copy": {"b": b"2"}, "stdout": "12"}),
        ("echo 'one two'; echo 'é three' >&2", {"stdout_matches": "^one.t", "stderr_matches": "(?m)é three$"}),
        ("printf '\\377'", {"stdout_matches": r"^\\xff$"}),
        ("mkdir o; printf 'é\\r\\n' >o/f", {"creates": {"o/f": "é\r\n", "x.sh": "mkdir o; printf 'é\\r\\n' >o/f"}}),
        ("exit 1", {"command": "sh -c 'cat {stem}.sh; echo \"$1\"' _ 'a b'", "stdout": "exit 1a b\n"}),
    ],
)  # fmt: skip
def test_what_is_as_expected_passes(tmp_path: Path, code: str, row: dict[str, Any]) -> None:
    assert judge(tmp_path, code, ir.Test("t", **row)) == ([], ["t"])


DIFF = "--- expected\n+++ actual\n@@ -1,5 +1,5 @@\n a\n b\n-x\n+c\n d\n e"
RUN = "(the command was: run x.sh)"


@pytest.mark.parametrize(
    "code, row, message",
    [
        ("echo out; echo err >&2; exit 3", {}, f"exit code 3, expected 0\nerr\n{RUN}"),
        ("", {"exit_code": 1, "args": ("a b", "é")}, "exit code 0, expected 1\n(the command was: run x.sh 'a b' 'é')"),
        ("", {"command": "sh -c 'echo out; echo in 0.123s, 4.5 seconds, 6 s >&2; exit 3'"},
         "exit code 3, expected 0\nin … s, … s, 6 s\nout\n"
         "(the command was: sh -c 'echo out; echo in 0.123s, 4.5 seconds, 6 s >&2; exit 3')"),
        ("printf '%05000d' 12 >&2; exit 1", {}, f"exit code 1, expected 0\n{'0' * 2998}12\n{RUN}"),
        (SAY, {"stdout": "a\nb\nx\nd\ne\n"}, f"standard output differs\n{DIFF}\n{RUN}"),
        ("printf a", {"stdout": "a\n"}, f"standard output differs\nexpected 'a\\n'\nactual   'a'\n{RUN}"),
        ("printf '\\377'", {"stdout": ""},
         f"standard output differs\n--- expected\n+++ actual\n@@ -0,0 +1 @@\n+\\xff\n{RUN}"),
        ("printf '%04000d' 0", {"stdout_matches": "a'b"},
         f"standard output does not match \"a'b\"; it is\n{'0' * 3000}\n{RUN}"),
        ("echo no >&2", {"stderr_matches": "^o"}, f"standard error does not match '^o'; it is\nno\n\n{RUN}"),
        ("", {"creates": {"out/f": "1"}}, f"it did not create the file out/f\n{RUN}"),
        (f"{SAY} >f", {"creates": {"f": "a\nb\nx\nd\ne\n"}}, f"the file f differs\n{DIFF}\n{RUN}"),
        ("echo x; sleep 9", {"timeout": 0.25, "stdout": ""}, f"still running after 0.25 s\n{RUN}"),
        ("yes", {"creates": {"f": ""}}, f"it printed without end\n{RUN}"),
        ("", {"command": "echo 'a"}, "the command cannot be read: No closing quotation\n(the command was: echo 'a)"),
        ("echo x; echo y >&2; exit 1",
         {"stdout": "z", "stdout_matches": "z", "stderr_matches": "z", "creates": {"f": "", "x.sh": ""}},
         "exit code 1, expected 0\ny\nstandard output differs\n--- expected\n+++ actual\n@@ -1 +1 @@\n-z\n+x\n"
         "standard output does not match 'z'; it is\nx\n\nstandard error does not match 'z'; it is\ny\n\n"
         "it did not create the file f\nthe file x.sh differs\n--- expected\n+++ actual\n@@ -0,0 +1 @@\n"
         f"+echo x; echo y >&2; exit 1\n{RUN}"),
    ],
)  # fmt: skip
def test_a_failure_is_told_in_full(tmp_path: Path, code: str, row: dict[str, Any], message: str) -> None:
    found, passed = judge(tmp_path, code, ir.Test("it's", **row))
    assert found == [Diagnostic("error", "tests", f'test "it\'s" failed: {message}')] and passed == []


@pytest.mark.parametrize(
    "code",
    ["ln -s /etc/hostname out", "echo 1 >a; ln a out", "mkfifo out", "mkdir out", "ln -s out out", "ln -s . out"],
)
def test_only_a_regular_file_with_one_link_below_the_folder_counts_as_created(tmp_path: Path, code: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/f").write_text("1\n")
    out, inside = (ir.Test(path, creates={path: "1\n"}) for path in ("out", "out/f"))
    assert len(judge(tmp_path, code, out, inside)[0]) == 2
    found, _ = judge(tmp_path, f"ln -s '{tmp_path}/elsewhere' out", inside)
    assert [d.message.splitlines()[0] for d in found] == ["test 'out/f' failed: it did not create the file out/f"]


def test_each_runs_in_a_fresh_folder_and_all_failures_are_told(tmp_path: Path) -> None:
    names = "abcd"
    rows = [ir.Test(name, args=(name,), stdout="0\n" if name in "ac" else "no") for name in names]
    found, passed = judge(tmp_path, "ls | grep -c left; touch left", *rows)
    assert [re.findall("'(.*?)'", d.message)[0] for d in found] == ["b", "d"] and passed == ["a", "c"]


def test_it_is_compiled_once_and_what_that_made_is_there_for_each(tmp_path: Path) -> None:
    code = "echo x >>times; cp times copy; printf '#!/bin/sh\\ncat times; echo y >>times' >made.x; chmod +x made.x"
    assert judge(tmp_path, code, *(ir.Test(n, stdout="x\n") for n in "ab"), language=BUILT) == ([], ["a", "b"])


def test_what_does_not_compile_is_one_error_and_nothing_is_compiled_without_tests(tmp_path: Path) -> None:
    code = "echo out; printf 'why \\377' >&2; exit 2"
    expected = Diagnostic("error", "compile", "it does not compile\nwhy \\xff", Span("x.b"))
    assert judge(tmp_path, code, ir.Test("a"), ir.Test("b"), language=BUILT) == ([expected], [])
    assert judge(tmp_path, code, language=BUILT) == ([], [])


def test_a_language_that_cannot_be_run_needs_a_command(tmp_path: Path) -> None:
    found, passed = judge(tmp_path, "", ir.Test("a"), ir.Test("b", command="test -e x.i"), language=IDLE)
    message = "test 'a' failed: no way to run idle is known; give the test a `command`\n(the command was: run x.i)"
    assert [d.message for d in found] == [message] and passed == ["b"]
