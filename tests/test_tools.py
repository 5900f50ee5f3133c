"""What the machine lacks is told before a program is blamed for it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from ai_coding import ir, sandbox, tools
from ai_coding.diagnostic import error
from ai_coding.ir import Language, Spec, Use

HERE = Language("x", "x", (), ("sh", "-n", "{entry}"), (), ("sh", "{entry}"))
SPEC = Spec(Path("/s/fizz.toml"), "fizz", HERE, {"": "Print Fizz."}, tests=(ir.Test("a"),))


def command(name: str) -> object:
    message = f"`{name}` is not installed, and the program cannot be checked without it"
    return error("no-tool", message, None, "install it where the sandbox finds it, and build again: nothing was asked")


def module(name: str) -> object:
    message = f"Python has no module `{name}`, and the program cannot be checked without it"
    way_out = f"python3 -m pip install {name}, where ai_coding is installed, and build again: nothing was asked"
    return error("no-tool", message, None, way_out)


def missing(spec: Spec) -> list[object]:
    return list(tools.missing(spec, sandbox.UNSAFE))


def having(*commands: str) -> tuple[ir.Test, ...]:
    return tuple(ir.Test(f"t{n}", command=each) for n, each in enumerate(commands))


def test_nothing_is_missing() -> None:
    assert missing(SPEC) == missing(replace(SPEC, tests=())) == []
    paths = having("true", "/no/such/x", "./no-such", "echo 'a", "", "python3 -m json.tool")
    assert missing(replace(SPEC, tests=paths)) == []


def test_commands_that_are_missing_are_named_in_order_each_once() -> None:
    gone = Language("x", "x", (), ("no-check", "{entry}"), ("no-cc", "x"), ("no-run", "{entry}"))
    both = (ir.Test("a"), *having("no-b c", "no-a 'x y'", "no-b", "true"))
    spec = replace(SPEC, language=gone, tests=both)
    assert missing(spec) == [command(f"no-{name}") for name in ("check", "cc", "run", "b", "a")]
    assert missing(replace(spec, critics=("tests",)))[:1] == [command("no-cc")]
    assert missing(replace(spec, critics=("syntax", "style"))) == [command("no-check")]
    assert missing(replace(spec, tests=())) == [command("no-check")]
    assert missing(replace(spec, tests=having("true"))) == [command("no-check"), command("no-cc")], "nothing is run"
    assert missing(replace(SPEC, tests=(replace(having("no-b")[0], held_out=True),))) == [command("no-b")]
    compiled = Language("x", "x", (), (), (), ("./{stem}",))
    assert missing(replace(SPEC, language=compiled)) == []


def test_modules_that_are_missing_are_named() -> None:
    spec = replace(
        SPEC, tests=having("no-b", "python3 -m no_such.part -q", "python3 -m no_such", "python3 x.py -m no_y")
    )
    assert missing(spec) == [command("no-b"), module("no_such")]
    assert missing(replace(SPEC, tests=having("python-none -m no_such"))) == [command("python-none")]
    assert missing(replace(SPEC, tests=having("env -m no_such"))) == [], "env is no interpreter"


@pytest.mark.parametrize(
    "spec",
    [
        replace(SPEC, name="no_such", language=replace(HERE, extension="py")),
        replace(SPEC, name="no_such/part"),
        replace(SPEC, data={"no_such/x.txt": b""}),
        replace(SPEC, uses=(Use(Path("/s/u.toml"), "no_such/part", "x = 1"),)),
        replace(SPEC, tests=(ir.Test("a", files={"no_such.py": ""}),)),
        replace(SPEC, tests=(ir.Test("a", copy={"no_such.py": b""}),)),
    ],
)
def test_what_lies_beside_the_program_may_be_the_module(spec: Spec) -> None:
    own = replace((spec.tests or SPEC.tests)[0], command="python3 -m no_such.part")
    assert missing(replace(spec, tests=(own,))) == []


def test_names_are_never_code(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    hostile = f'python3 -m \'os;open("{mark}","w")\''
    odd = (hostile, f"'$(touch {mark})'", "-n", "'a\nb'", "python3 -m ''", "python3 -m", "'\x00'")
    for each in odd:
        assert isinstance(missing(replace(SPEC, tests=having(each))), list)
    assert not mark.exists()


def test_the_same_question_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many have it at the same moment, as the workers of a build do."""
    runs, run = [], sandbox.run

    def counted(*args: object, **more: object) -> sandbox.Result:
        runs.append(args)
        return run(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(sandbox, "run", counted)
    spec = replace(SPEC, tests=having("no-once", "python3 -m no_such_once"))
    with ThreadPoolExecutor(8) as workers:
        said = list(workers.map(missing, [spec] * 8))
    assert said == [[command("no-once"), module("no_such_once")]] * 8 and len(runs) == 2


def test_a_run_that_fails_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **more: object) -> sandbox.Result:
        return sandbox.Result(1, b"no-fail\n", b"")

    monkeypatch.setattr(sandbox, "run", fail)
    assert missing(replace(SPEC, tests=having("no-fail", "python3 -m no_such_fail"))) == []
