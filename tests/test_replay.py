"""Transcripts are walked: another question, program or result is told with its file, and nothing damaged raises."""

import json
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from ai_coding import continuation, lock, prompt, replay, workspace
from ai_coding.diagnostic import Diagnostic, error
from ai_coding.ir import Judge, Program, Reply, Request, Spec
from ai_coding.lock import Lock
from ai_coding.strategies.direct import direct

WORKSPACE = """\
[workspace]
members = ["*.toml"]
root = ".."
output = "."
[build]
committed = true
[project]
requirements = "Small modules."
"""
UNIT = '[file]\nname = "ai_coding/extra"\nlanguage = "python"\n[project]\nrequirements = "WORD is extra."\n'
CODE = "WORD = 'extra'\n"
REPLIES = (
    "````python ai_coding/extra.py\nWORD = 'other'\n````\n",
    "````search ai_coding/extra.py\nWORD = 'other'\n````\n````replace\nWORD = 'extra'\n````\n",
)
HERE = "history/iter3/transcripts/extra.json"


def load(root: Path) -> Spec:
    (spec,), found = workspace.load([root / "self/ai_coder.toml"])
    assert not found
    return spec


def steps(spec: Spec, *base: Any) -> list[dict[str, Any]]:
    """The steps of a build in which the first program fails, and an edit mends it."""
    replies, verdicts = iter(REPLIES), iter(([error("tests", "it fails")], []))
    strategy, rows = direct(spec, *base), list[dict[str, Any]]()
    answer: object = None
    while True:
        try:
            need = strategy.send(answer)
        except StopIteration:
            return rows
        if isinstance(need, Judge):
            answer = next(verdicts)
            rows.append({"program": need.program.digest, "diagnostics": [asdict(d) for d in answer]})
        else:
            answer = next(replies)
            request = Request("m", 2, spec.parameters, need.messages)
            rows.append({"request": request.digest, "model": "m", "reply": asdict(Reply(answer))})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in {
        "ai_coder.toml": WORKSPACE,
        "extra.toml": UNIT,
        "../ai_coding/extra.py": CODE,
        "../.git": "",
    }.items():
        (tmp_path / "self" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "ai_coding").mkdir(exist_ok=True)
        (tmp_path / "self" / name).write_text(text)
    (tmp_path / "history/iter3/transcripts").mkdir(parents=True)
    return tmp_path


def store(root: Path, rows: list[dict[str, Any]], **changed: object) -> None:
    record = {"model": "m", "take": 2, "base": None, "steps": rows, **changed}
    (root / HERE).write_text(json.dumps(record))


def found(root: Path) -> list[str]:
    """Code and file of what is wrong."""
    return [told(problem) for problem in replay.here(root, 3, [load(root)])]


def told(problem: Diagnostic) -> str:
    assert problem.severity == "error" and problem.help and problem.message
    return f"{problem.code} {problem.span.file if problem.span else ''}"


def test_a_unit_that_is_what_its_requirement_file_says(root: Path) -> None:
    store(root, steps(load(root)))
    assert found(root) == []


def cut(rows: list[dict[str, Any]], spec: Spec, *parts: str) -> list[dict[str, Any]]:
    """The same steps, but the first reply came in parts, since the token limit cut it off."""
    need = next(direct(spec))
    assert not isinstance(need, Judge)
    walk, made = continuation.whole(Request("m", 2, spec.parameters, need.messages)), list[dict[str, Any]]()
    request = next(walk)
    for number, part in enumerate(parts, 1):
        reply = Reply(part, "length" if number < len(parts) else "stop")
        made.append({"request": request.digest, "model": "m", "reply": asdict(reply)})
        with suppress(StopIteration):
            request = walk.send(reply)
    return made + rows[1:]


def test_a_reply_that_was_continued(root: Path) -> None:
    """Each continuation is a question of its own, and the whole is read."""
    rows, spec = steps(load(root)), load(root)
    text = REPLIES[0]
    for parts in ((text[:5], text[5:]), (text[:5], text[5:20], text), (text, "")):
        store(root, cut(rows, spec, *parts))
        assert found(root) == []
    right = cut(rows, spec, text[:5], text[5:9], text[9:])
    for wrong in (right[:2] + right[3:], right[:1] + right[2:], [right[0], right[0], *right[1:]], right[:2]):
        store(root, wrong)
        assert found(root) == ["other-request self/extra.toml"]
    store(root, [right[0], {**right[1], "reply": {"text": text[5:]}}, *right[3:]])
    assert found(root) == [], "a reply that does not say how it ended is whole"


def test_another_requirement_or_take(root: Path) -> None:
    rows = steps(load(root))
    store(root, rows, take=1)
    assert found(root) == ["other-request self/extra.toml"]
    store(root, rows, model="n")
    assert found(root) == ["other-request self/extra.toml"]
    store(root, rows)
    (root / "self/extra.toml").write_text(UNIT.replace("is extra", "is more"))
    assert found(root) == ["other-request self/extra.toml"]


def test_another_program_or_verdict(root: Path) -> None:
    rows = steps(load(root))
    store(root, [rows[0], {**rows[1], "program": "sha256:0"}, *rows[2:]])
    assert found(root) == [f"other-program {HERE}"]
    store(root, [rows[0], {**rows[1], "diagnostics": [asdict(error("tests", "otherwise"))]}, *rows[2:]])
    assert found(root) == ["other-request self/extra.toml"]
    store(root, [{**rows[0], "reply": asdict(Reply(REPLIES[0].replace("other", "another")))}, *rows[1:]])
    assert found(root) == [f"other-program {HERE}"]


def test_steps_of_the_other_kind_too_few_and_too_many(root: Path) -> None:
    rows = steps(load(root))
    for few in ([], [rows[1]], rows[:2]):
        store(root, few)
        assert found(root) == ["other-request self/extra.toml"]
    for few in (rows[:1], [rows[0], rows[2]], rows[:3]):
        store(root, few)
        assert found(root) == [f"other-program {HERE}"]
    store(root, [*rows, rows[0]])
    assert found(root) == ["other-bytes ai_coding/extra.py"]


@pytest.mark.parametrize("data", [CODE.encode() + b"#", CODE.replace("\n", "\r\n").encode(), b"\xff", b"", None])
def test_other_bytes(root: Path, data: bytes | None) -> None:
    store(root, steps(load(root)))
    (root / "ai_coding/extra.py").unlink()
    if data is not None:
        (root / "ai_coding/extra.py").write_bytes(data)
    assert found(root) == ["other-bytes ai_coding/extra.py"]


@pytest.mark.parametrize("text", [None, "", "{}", "[" * 100_000])
def test_a_damaged_transcript(root: Path, text: str | None) -> None:
    if text is not None:
        (root / HERE).write_text(text)
    assert found(root) == [f"damaged-archive {HERE}"]


def test_a_hostile_reply_is_told_and_raises_nothing(root: Path) -> None:
    rows = steps(load(root))
    store(root, [{**rows[0], "reply": {"text": REPLIES[0].replace("other", "\ud800")}}, *rows[1:]])
    assert [line.split()[0] for line in found(root)][0].startswith("other-")


def archive_base(root: Path) -> Path:
    """Generation 0, from which the build started: another requirement, another program, with CRLF in it."""
    home = root / "history/iter0"
    for name in ("self", "ai_coding"):
        (home / name).mkdir(parents=True)
    old = replace(load(root), requirements={"": "WORD was less."})
    program = Program({"ai_coding/extra.py": "WORD = 'less'\r\n"}, "ai_coding/extra.py")
    accepted = Lock(lock.asked(old), {}, program)
    (home / "self/extra.lock").write_text(lock.write(accepted, committed=True))
    (home / "ai_coding/extra.py").write_bytes(b"WORD = 'less'\r\n")
    changes = prompt.difference(accepted.asked, lock.asked(load(root)))
    store(root, steps(load(root), program, changes), base=0)
    return home


def test_a_build_that_started_from_an_older_program(root: Path) -> None:
    """The old program, its line ends and what changed since then are part of the request."""
    home = archive_base(root)
    assert found(root) == []
    (home / "ai_coding/extra.py").write_bytes(b"WORD = 'less'\n")
    assert found(root) == ["other-request self/extra.toml"]
    store(root, json.loads((root / HERE).read_text())["steps"], base=None)
    assert found(root) == ["other-request self/extra.toml"]


def test_a_damaged_base(root: Path) -> None:
    home = archive_base(root)
    (home / "ai_coding/extra.py").write_bytes(b"\xff")
    assert found(root) == ["damaged-archive history/iter0/ai_coding/extra.py"]
    (home / "self/extra.lock").write_text("x")
    assert found(root) == ["damaged-archive history/iter0/self/extra.lock"]
    (home / "self/extra.lock").unlink()
    assert found(root) == ["damaged-archive history/iter0/self/extra.lock"]
    home.rename(root / "history/iter1")
    assert found(root) == [f"damaged-archive {HERE}"]


TESTED = UNIT + '[[tests]]\nname = "a"\nargs = ["1"]\n'


def test_tests_that_changed_since_it_was_asked(root: Path) -> None:
    """The request showed the old tests and cannot be made again; replies, programs and bytes still have to fit."""
    (root / "self/extra.toml").write_text(TESTED)
    rows = steps(load(root))
    store(root, rows)
    program = Program({"ai_coding/extra.py": CODE}, "ai_coding/extra.py")
    accepted = Lock(lock.asked(load(root)), lock.judged(load(root), {"u.py": "x"}), program)
    archived = root / "history/iter3/self/extra.lock"
    archived.parent.mkdir()
    archived.write_text(lock.write(accepted, committed=True))
    assert not replay.retested(root, 3, load(root)) and found(root) == [], "other used programs change no request"
    (root / "self/extra.toml").write_text(TESTED.replace("1", "2"))
    assert replay.retested(root, 3, load(root)) and found(root) == []
    store(root, [{**rows[0], "reply": asdict(Reply(REPLIES[0].replace("other", "another")))}, *rows[1:]])
    assert found(root) == [f"other-program {HERE}"]
    store(root, rows[:2])
    assert found(root) == ["other-request self/extra.toml"], "a step is missing"
    store(root, rows)
    for text in (TESTED.replace("1", "2").replace("is extra", "is more"), UNIT.replace("is extra", "is more")):
        (root / "self/extra.toml").write_text(text)
        assert not replay.retested(root, 3, load(root)) and found(root) == ["other-request self/extra.toml"]
    (root / "self/extra.toml").write_text(TESTED.replace("1", "2"))
    for data in (b"x", None):
        archived.unlink() if data is None else archived.write_bytes(data)
        assert not replay.retested(root, 3, load(root)) and found(root) == ["other-request self/extra.toml"]


SCRIPT = """\
import json, os, sys
told = {"argv": sys.argv[1:], "path": os.environ["PYTHONPATH"], "safe": sys.flags.safe_path}
print(json.dumps(told), file=sys.stderr)
sys.stdout.write(OUTPUT)
sys.exit(CODE)
"""
ROW = {"code": "other-bytes", "path": "ai_coding/extra.py", "message": "it is", "help": "do"}


def older(root: Path, output: str, code: int = 0) -> list[Diagnostic]:
    """What is told when generation 0 prints output."""
    package = root / "history/iter0/ai_coding"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("")
    (package / "proof.py").write_text(SCRIPT.replace("OUTPUT", repr(output)).replace("CODE", str(code)))
    spec = load(root)
    problems = replay.elsewhere(root, 0, [spec, replace(spec, path=root / "self/more.toml")])
    assert not list(package.rglob("__pycache__"))
    return problems


def test_an_older_generation_is_asked(root: Path) -> None:
    assert older(root, "[]") == []
    (problem,) = older(root, json.dumps([{**ROW, "more": 1}]))
    assert told(problem) == "other-bytes ai_coding/extra.py" and (problem.message, problem.help) == ("it is", "do")
    (problem,) = older(root, "[]", code=3)
    assert told(problem) == "no-replay history/iter0/ai_coding/proof.py" and "3" in problem.message
    said = json.dumps(
        {"argv": [str(root), "0", "extra.toml", "more.toml"], "path": str(root / "history/iter0"), "safe": True}
    )
    assert said in problem.message and "extra.toml" in problem.message


@pytest.mark.parametrize(
    "output", ["", "no JSON", "{}", "[1]", "[{}]", json.dumps([{**ROW, "help": None}]), "[" * 100_000]
)
def test_an_older_generation_that_answers_something_else(root: Path, output: str) -> None:
    assert list(map(told, older(root, output))) == ["no-replay history/iter0/ai_coding/proof.py"]


def test_answering_another_generation(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(root, steps(load(root)))
    assert replay.answer([str(root), "3"]) == 0 and json.loads(capsys.readouterr().out) == []
    assert replay.answer([str(root), "3", "extra.toml"]) == 0 and json.loads(capsys.readouterr().out) == []
    (root / "ai_coding/extra.py").write_text("changed")
    (problem,) = replay.here(root, 3, [load(root)])
    assert replay.answer([str(root), "3", "extra.toml"]) == 0
    row = {"code": "other-bytes", "path": "ai_coding/extra.py", "message": problem.message, "help": problem.help}
    assert json.loads(capsys.readouterr().out) == [row]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "usage"), (["ROOT"], 2, "usage"), (["ROOT", "x"], 2, "usage"), (["ROOT", "-1"], 2, "usage"),
        (["ROOT", "3", "extra.toml", "none.toml"], 1, "none.toml"),
    ],
)  # fmt: skip
def test_asked_in_a_wrong_way(
    root: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert replay.answer([str(root) if word == "ROOT" else word for word in arguments]) == code
    shown = capsys.readouterr()
    assert shown.out == "" and said in shown.err
