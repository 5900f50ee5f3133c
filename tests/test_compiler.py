"""A whole build: what it asks, what it writes, what it protects, and what it says. The model is a list of replies."""

import os
import sys
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from ai_coding import __version__, compiler, ir, journal, languages, lock, sandbox, site
from ai_coding.diagnostic import error
from ai_coding.ir import Event, Outcome, Reply, Request, Settings, Spec, digest

TIER = sandbox.BUBBLEWRAP if sandbox.available() else sandbox.UNSAFE
TEXT, OTHER, THIRD = "print('Fizz')\n", "print('Fi' + 'zz')\n", "print('Fizz', end='!')\n"


def reply(text: str) -> str:
    return f"````python\n{text}````\n"


class World(ModuleType):
    """A unit, its settings, and the provider that it asks, which gives its replies in turn."""

    def __init__(self, folder: Path) -> None:
        super().__init__("openai")
        python = languages.find("python")
        assert python
        rest = {"tests": (ir.Test("fizz", stdout="Fizz\n"),), "critics": ("syntax", "tests")}
        self.spec = Spec(folder / "fizz.toml", "fizz", python, {"": "Print Fizz."}, **rest)  # type: ignore[arg-type]
        self.spec = replace(self.spec, inputs=(self.spec.path,))
        self.plan = Settings(folder / "journal", folder / "out", "openai:x", unsafe=True)
        self.lock, self.file = folder / "fizz.lock", folder / "out" / "fizz.py"
        self.replies, self.calls, self.events = [TEXT, OTHER], list[Request](), list[Event]()
        self.meanwhile = ""

    def answer(self, request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply]:
        self.calls.append(request)
        if self.meanwhile:
            self.file.write_text(self.meanwhile)
        yield ""
        return Reply(reply(self.replies[len(self.calls) - 1]), "stop", "x", 1000, 7)

    def build(self, answer: dict[str, str] | None = None, **flags: object) -> Outcome:
        """One build; answer is sent for the event `needs`."""
        steps = compiler.compile(self.spec, replace(self.plan, **flags))  # type: ignore[arg-type]
        self.events, send = [], None
        try:
            while True:
                self.events.append(steps.send(send))
                send = answer if self.events[-1].kind == "needs" else None
        except StopIteration as done:
            end: Outcome = done.value
            return end

    def ends(self, **flags: object) -> str:
        end = self.build(**flags)  # type: ignore[arg-type]
        return " ".join([end.status, *(d.code for d in end.diagnostics)])

    def status(self) -> str:
        return compiler.status(self.spec, self.plan)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fizz.toml").write_text("…")
    monkeypatch.setitem(sys.modules, "ai_coding.backends.openai", made := World(tmp_path))
    return made


def test_a_build_that_passes_writes_the_program_and_its_lock(world: World) -> None:
    assert world.status() == "never built"
    end = world.build()
    files = sorted([os.path.join("out", "fizz.py"), "fizz.lock"])
    assert world.kinds() == ["started", "asked", "token", "replied", "judged", "emitted"]
    assert world.events[0] == Event("started", "fizz.toml", {"why": "never built", "take": 1})
    assert world.events[-1] == Event("emitted", "fizz.toml", {"files": files})
    found = lock.read(world.lock)
    assert isinstance(found, lock.Lock) and end.program == found.program and world.file.read_text() == TEXT
    assert (end.status, end.summary) == ("built", f"1 request, 1,000 tokens in, 7 out; 1 test passed in {TIER}")
    state = journal.get(world.plan.journal, "units", journal.unit(world.spec.path, world.plan.out))
    assert state["seen"] == journal.fingerprints([world.spec.path, world.lock, world.file])
    assert state["outputs"] == [digest(TEXT.encode())] and state["take"] == 1
    assert (state["version"], state["open"], state["entry"]) == (__version__, False, "fizz.py")
    assert journal.fresh(world.plan.journal, world.spec.path, world.plan.out, __version__) == "fizz.py"


def test_the_summary_says_what_it_cost(world: World) -> None:
    end = world.build(model="openai:gpt-5")
    found = lock.read(world.lock)
    assert isinstance(found, lock.Lock) and found.cost == pytest.approx(0.00132)
    assert end.summary == f"1 request, 1,000 tokens in, 7 out, $0.0014; 1 test passed in {TIER}"


def test_the_lock_is_enough(world: World) -> None:
    """Without a model, elsewhere and on another machine it gives the same bytes, and it is not written again."""
    world.build()
    before = world.lock.read_bytes()
    for flags in ({"model": "", "unsafe": False}, {"journal": Path("new").absolute()}, {"out": Path("x").absolute()}):
        world.file.unlink(missing_ok=True)
        assert (world.ends(**flags), world.kinds()) == ("locked", ["started", "emitted"])
        assert world.ends(**flags, locked=True) == "current" and world.events[1].data["files"] == []
    assert world.status() == "not written" and world.lock.read_bytes() == before and len(world.calls) == 1
    assert Path("x/fizz.py").read_text() == TEXT and world.events[0].data["why"] == ""


def test_locked_builds_from_the_lock_alone(world: World) -> None:
    no = error("lock-missing", "there is no fizz.lock to build from", None, "build without --locked")
    assert world.build(locked=True) == Outcome("invalid", (no,)) and world.events == []
    world.build()
    world.spec = replace(world.spec, requirements={"": "Show Fizz."})
    help = "build without --locked and commit the lock"
    stale = error("lock-stale", "fizz.lock does not match: requirements changed", None, help)
    assert world.build(locked=True) == Outcome("invalid", (stale,)) and len(world.calls) == 1


def test_hand_edits_are_protected(world: World) -> None:
    """A file that no build wrote is refused before anything is asked; with --force a copy is kept."""
    world.file.parent.mkdir()
    world.file.write_text("mine\n")
    assert world.ends() == "invalid emit-edited" and world.calls == []
    world.file.unlink()
    world.build()
    world.file.write_text("mine\n")
    assert world.status() == "edited by hand"
    assert world.ends() == world.ends(anew=True) == "invalid emit-edited" and len(world.calls) == 1
    assert world.kinds() == ["started"] and world.file.read_text() == "mine\n"
    end = world.build(force=True)
    (note,) = end.diagnostics
    assert (end.status, note.severity, note.code) == ("locked", "note", "kept-copy") and world.file.read_text() == TEXT
    assert note.span and note.span.file == os.path.join("out", "fizz.py.orig")
    assert Path(note.span.file).read_text() == "mine\n"


def test_an_edit_while_the_model_answers_is_protected_too(world: World) -> None:
    world.build()
    world.meanwhile = "mine\n"
    assert world.ends(anew=True) == "invalid emit-edited" and world.file.read_text() == "mine\n"
    assert "take = 1" in world.lock.read_text()
    assert world.ends(force=True) == "built kept-copy" and len(world.calls) == 2, "its answer was kept"


def test_what_changes_while_the_model_answers_is_built_next_time(world: World) -> None:
    """What was read counts, not what lies there at the end: else the change would never be noticed."""
    steps = compiler.compile(world.spec, world.plan)
    world.spec.path.write_text("another text, written before the first event was asked for")
    with pytest.raises(StopIteration) as done:
        while True:
            next(steps)
    assert done.value.value.status == "built"
    assert journal.fresh(world.plan.journal, world.spec.path, world.plan.out, __version__) == ""
    assert world.ends() == "current"
    assert journal.fresh(world.plan.journal, world.spec.path, world.plan.out, __version__) == "fizz.py"


def test_a_used_unit_that_was_built_meanwhile_is_no_change(world: World) -> None:
    need = world.spec.path.with_name("b.toml")
    need.write_text("…")
    made = lock.path_for(need)
    world.spec = replace(world.spec, needs=(need,), inputs=(world.spec.path, need, made))
    steps = compiler.compile(world.spec, world.plan)
    while next(steps).kind != "needs":
        pass
    made.write_text(lock.write(lock.Lock({}, {}, ir.Program({"b.py": "x = 1\n"}, "b.py"))))
    with pytest.raises(StopIteration):
        steps.send({str(need): "built"})
        while True:
            next(steps)
    assert journal.fresh(world.plan.journal, world.spec.path, world.plan.out, __version__) == "fizz.py"


def test_line_ends_that_version_control_changed(world: World) -> None:
    world.build()
    world.file.write_bytes(TEXT.encode().replace(b"\n", b"\r\n"))
    world.lock.write_bytes(world.lock.read_bytes().replace(b"\n", b"\r\n"))
    assert world.status() == "not written" and world.ends() == "locked" and world.file.read_bytes() == TEXT.encode()
    assert world.status() == "up to date" and len(world.calls) == 1


def test_small_changes_start_from_the_program(world: World) -> None:
    world.build()
    world.spec = replace(world.spec, requirements={"": "Print Fizz, politely."})
    assert world.status() == "stale: requirements changed" and world.ends() == "built"
    assert TEXT in world.calls[1].messages[1].text and "+Print Fizz, politely." in world.calls[1].messages[1].text
    assert world.file.read_text() == OTHER and world.status() == "up to date"


def test_a_changed_test_judges_the_old_program_first(world: World) -> None:
    world.replies[1] = THIRD
    world.build()
    world.spec = replace(world.spec, tests=(*world.spec.tests, ir.Test("again", stdout_matches="zz")))
    assert world.status() == "stale: test again added" and compiler.requests(world.spec, world.plan) == []
    assert world.ends(locked=True) == "invalid lock-stale"
    assert world.build().summary == f"0 requests; 2 tests passed in {TIER}" and world.kinds()[1:] == [
        "judged",
        "emitted",
    ]
    world.spec = replace(world.spec, tests=(ir.Test("fizz", stdout="Fizz!"),))
    why = "test again removed, test fizz changed"
    assert why in world.build(model="").diagnostics[0].message and world.events[0].data["why"] == why
    assert world.ends() == "built" and len(world.calls) == 2


def test_anew_asks_from_scratch(world: World) -> None:
    """The same question under another take; waiting, it goes on without the flag, and failing, it changes nothing."""
    world.build()
    assert world.ends(anew=True, model="") == "provider no-model" and world.ends() == "current"
    assert world.ends(anew=True, model="manual") == "waiting" and world.status() == "waiting for a reply"
    assert world.build(model="manual").waiting and world.ends(locked=True) == "current"
    assert world.ends(anew=True) == "built" and "take = 2" in world.lock.read_text()
    assert world.calls[1] == replace(world.calls[0], take=2) and world.file.read_text() == OTHER


def test_show_says_what_would_be_asked_first(world: World) -> None:
    (request,) = compiler.requests(world.spec, world.plan)
    world.build()
    assert world.calls == [request] and compiler.requests(world.spec, world.plan) == []


def test_used_units(world: World) -> None:
    """The model is asked at once; a program is judged when those it uses are there, and again when they change."""
    need, spec = world.spec.path.with_name("b.toml"), world.spec
    world.spec = replace(spec, needs=(need,))
    assert world.build({str(need): "waiting"}) == Outcome("waiting") and len(world.calls) == 1
    assert world.kinds() == ["started", "asked", "token", "replied", "needs"]
    program = ir.Program({"b.py": "x = 1\n"}, "b.py")
    made = lock.Lock({}, {}, program)
    lock.path_for(need).write_text(lock.write(made))
    assert world.build({str(need): "built"}).status == "built" and len(world.calls) == 1
    assert world.status() == "up to date" and world.ends() == "current"
    lock.path_for(need).write_text(lock.write(replace(made, program=replace(program, files={"b.py": "x = 2\n"}))))
    assert world.status() == "stale: uses b.py changed"
    assert world.ends() == "built" and world.kinds() == ["needs", "started", "judged", "emitted"]
    lock.path_for(need).unlink()
    assert world.status() == "stale: b.toml is needed and is not built"
    assert world.build() == Outcome("invalid", (site.not_built(need),))


def test_what_cannot_be_written_loses_no_answer(world: World) -> None:
    world.plan.out.mkdir()
    (world.plan.out / "sub").write_text("a file")
    world.spec = replace(world.spec, name="sub/fizz")
    world.replies[0] = TEXT
    assert world.ends() == world.ends() == "failed emit-failed" and not world.lock.exists()
    (world.plan.out / "sub").unlink()
    assert world.ends() == "built" and len(world.calls) == 1


def test_an_output_that_is_committed_is_not_in_the_lock(world: World) -> None:
    world.spec = replace(world.spec, committed=True)
    world.build()
    assert "Fizz')" not in world.lock.read_text() and world.ends() == "current"
    world.file.write_text("mine\n")
    assert world.status() == "edited by hand" and world.ends() == "invalid output-lost"
    assert world.ends(anew=True) == "invalid emit-edited"
    assert world.ends(anew=True, force=True) == "built kept-copy" and world.status() == "up to date"
    world.lock.write_text("x")
    assert world.status() == world.build().diagnostics[0].message != ""
