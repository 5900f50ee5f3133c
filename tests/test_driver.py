"""The driver asks nothing twice, owns the budgets, and says how a build ended. The model is a list of replies."""

import json
import sys
from collections.abc import Generator
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import pytest
from ai_coding import ir, journal, languages, lock, prices, sandbox, site, tools
from ai_coding.backends import manual
from ai_coding.critics import judge
from ai_coding.diagnostic import error
from ai_coding.driver import drive
from ai_coding.ir import Ask, Event, Outcome, Program, Reply, Request, Settings, Spec, digest
from ai_coding.lock import Lock
from ai_coding.strategies.direct import direct

TIER = sandbox.BUBBLEWRAP if sandbox.available() else sandbox.UNSAFE
HIDDEN = ir.Test("hidden", args=("secret",), stdout_matches="F.zz", held_out=True)
FIZZ, FUZZ = (Program({"fizz.py": f"print('{word}')\n"}, "fizz.py") for word in ("Fizz", "Fuzz"))
RIGHT, WRONG, *MORE = (f"````python fizz.py\nprint('{word}')\n````\n" for word in ("Fizz", "Fuzz", "a", "b", "c"))
CUT, BAD = "````python fizz.py\nx", ["````\n(\n````", "````\n)\n````"]


class Model(ModuleType):
    """A provider that gives its replies in turn, in two pieces."""

    def __init__(self, replies: list[str], finish: list[str]) -> None:
        super().__init__("openai")
        self.replies, self.calls = replies, list[Request]()
        self.finish = finish + ["stop"] * len(replies)

    def answer(self, request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply]:
        self.calls.append(request)
        text = self.replies[len(self.calls) - 1]
        yield text[:3]
        yield text[3:]
        return Reply(text, self.finish[len(self.calls) - 1], "x-1", 20, 3)


class World:
    """A unit, its settings and its model."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        python, self.patch = languages.find("python"), patch
        assert python
        rest = {"tests": (ir.Test("fizz", stdout="Fizz\n"),), "critics": ("syntax", "tests")}
        self.spec = Spec(folder / "fizz.toml", "fizz", python, {"": "Print Fizz."}, **rest)  # type: ignore[arg-type]
        self.plan = Settings(folder / "journal", folder, "openai:x", unsafe=True)
        self.events: list[Event] = []
        self.answers: list[dict[str, str]] = []  # to the events `afford`
        self.model([])

    def model(self, replies: list[str], finish: list[str] | None = None) -> Model:
        self.patch.setitem(sys.modules, "ai_coding.backends.openai", model := Model(replies, finish or []))
        return model

    def run(self, beside: dict[str, str] | None = None) -> Outcome | tuple[Lock, object, int]:
        with site.alone(self.spec, self.plan) as key:
            found, _ = site.survey(self.spec, self.plan, key)
            assert found
            steps, self.events = drive(found, beside), []
            send: dict[str, str] | None = None
            try:
                while True:
                    self.events.append(steps.send(send))
                    send = self.answers.pop(0) if self.events[-1].kind == "afford" and self.answers else None
            except StopIteration as done:
                end: Outcome | tuple[Lock, object, int] = done.value
                return end

    def accepted(self) -> tuple[Lock, int]:
        end = self.run({})
        assert not isinstance(end, Outcome), end
        lock.path_for(self.spec.path).write_text(lock.write(end[0]))
        return end[0], end[2]

    def refused(self, beside: dict[str, str] | None = None) -> Outcome:
        end = self.run(beside)
        assert isinstance(end, Outcome) and end.program is None, end
        return end

    def is_open(self) -> object:
        return (journal.get(self.plan.journal, "units", journal.unit(self.spec.path, self.plan.out)) or {}).get("open")

    def kinds(self) -> str:
        return " ".join(event.kind for event in self.events)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def test_the_events_the_journal_and_the_lock(world: World) -> None:
    world.model([WRONG, RIGHT])
    world.spec = replace(world.spec, parameters={"seed": 1})
    end, need = world.run({"b.py": ""}), next(direct(world.spec))
    assert isinstance(need, Ask) and world.kinds() == " ".join(["asked token token replied judged"] * 2)
    request = Request("openai:x", 1, {"seed": 1}, need.messages).digest
    rules = lock.judged(world.spec, {"b.py": ""})
    question = digest(["verdict/1", FUZZ.digest, rules, ["fizz"], TIER])
    asked = {"attempt": 1, "model": "openai:x", "request": request, "recorded": False, "because": []}
    judged = {"program": FUZZ.digest, "verdict": question, "held_out": False, "sandbox": TIER}
    counts = {"characters": len(WRONG), "input_tokens": 20, "output_tokens": 3, "cost": None}
    assert world.events[:5] == [
        Event("asked", "fizz.toml", asked),
        Event("token", "fizz.toml", {"text": WRONG[:3]}),
        Event("token", "fizz.toml", {"text": WRONG[3:]}),
        Event("replied", "fizz.toml", {"finish": "stop", **counts}),
        Event("judged", "fizz.toml", {**judged, "passed": 0, "tests": 1, "errors": 1}),
    ]
    assert world.events[5].data["because"] == ["tests: test 'fizz' failed: standard output differs"]
    assert world.events[5].data["attempt"] == 2 and world.events[9].data["passed"] == 1
    assert journal.get(world.plan.journal, "replies", request) == asdict(Reply(WRONG, "stop", "x-1", 20, 3))
    verdict = judge(world.spec, FUZZ, world.spec.tests, {"b.py": ""}, TIER)
    assert journal.get(world.plan.journal, "verdicts", question) == json.loads(json.dumps(asdict(verdict)))
    made = Lock(lock.asked(world.spec), rules, FIZZ, 1, "openai:x", 2, 40, 6, TIER, ("fizz",))
    assert end == (made, (), 2) and world.is_open() is True


def test_nothing_is_asked_or_judged_twice(world: World) -> None:
    """The next build walks over recorded answers; their attempts and tokens count as before, whoever asks."""
    world.model([WRONG, RIGHT])
    first = world.accepted()
    stored = journal.get(world.plan.journal, "verdicts", world.events[-1].data["verdict"])
    journal.put(world.plan.journal, "verdicts", world.events[-1].data["verdict"], {**stored, "passed": ["kept"]})
    lock.path_for(world.spec.path).unlink()
    model = world.model([])
    assert world.accepted() == (replace(first[0], passed=("kept",)), 2) and model.calls == []
    assert world.kinds() == "asked replied judged asked replied judged" and world.events[0].data["recorded"] is True


ENDS: list[tuple[list[str], int, int, str, str]] = [
    ([WRONG, *MORE], 2, 2, "2 attempts were not enough", "tests tests"),
    ([WRONG, WRONG, RIGHT], 9, 2, "the model repeats itself", "tests"),
    ([WRONG, *MORE, RIGHT], 9, 3, "two attempts brought no progress", "tests"),
    ([BAD[0], WRONG, BAD[1], *MORE], 9, 4, "two attempts brought no progress", "tests"),
    ([WRONG, CUT, CUT], 3, 3, "3 attempts were not enough", "tests reply-cut-off"),
    ([CUT, CUT], 3, 2, "3 attempts were not enough", "reply-cut-off"),  # the third question is the second again
]


@pytest.mark.parametrize(("replies", "attempts", "asked", "why", "codes"), ENDS)
def test_when_it_gives_up(world: World, replies: list[str], attempts: int, asked: int, why: str, codes: str) -> None:
    """The best attempt is kept where a person can look at it: the first of those that got furthest."""
    model, world.plan = world.model(replies), replace(world.plan, attempts=attempts)
    world.spec = replace(world.spec, attempts=1)
    end, folder = world.refused({}), world.plan.journal / "attempts"
    assert (end.status, len(model.calls), world.is_open()) == ("failed", asked, False)
    assert " ".join(d.code for d in end.diagnostics) == f"{codes} not-accepted"
    best = folder / journal.unit(world.spec.path, world.plan.out)[:16] / "fizz.py"
    help = f"the best attempt is {best}\n" if "tests" in codes else ""
    help += "say more in the requirement file, or ask again with --anew"
    assert end.diagnostics[-1] == error("not-accepted", f"no program was accepted: {why}", None, help)
    assert best.read_text() == FUZZ.files["fizz.py"] if "tests" in codes else not folder.exists()


def test_fewer_errors_are_progress(world: World) -> None:
    world.spec = replace(world.spec, attempts=9, tests=tuple(ir.Test(w, stdout_matches=w) for w in "abc"))
    world.model([f"````\nprint('{text}')\n````" for text in ("x", "y", "a", "b", "ab", "c", "abc")])
    assert world.accepted()[1] == 7


def test_held_out_tests_judge_the_accepted_program_once(world: World) -> None:
    world.spec = replace(world.spec, tests=(HIDDEN, *world.spec.tests))
    model = world.model([WRONG, RIGHT])
    assert world.accepted()[0].passed == ("fizz", "hidden") and "secret" not in str(model.calls)
    assert [e.data["held_out"] for e in world.events if e.kind == "judged"] == [False, False, True]
    stored = journal.get(world.plan.journal, "verdicts", world.events[-1].data["verdict"])
    assert (stored["reached"], stored["passed"]) == (2, ["hidden"]), "the critic tests alone"
    world.spec = replace(world.spec, tests=(replace(HIDDEN, stdout_matches="no"), *world.spec.tests[1:]))
    end = world.refused({})
    assert [d.code for d in end.diagnostics] == ["tests", "not-accepted"] and len(model.calls) == 2
    assert end.diagnostics[1].message == "no program was accepted: a held-out test failed" and not world.is_open()


def test_the_old_program_is_judged_before_anything_is_asked(world: World) -> None:
    """Its lock keeps who answered. If it fails, that is what the model is asked to mend."""
    model = world.model([RIGHT, MORE[0]])
    made, _ = world.accepted()
    world.spec = replace(world.spec, tests=(ir.Test("new", stdout_matches="z"),))
    world.plan = replace(world.plan, model="manual")
    assert world.accepted() == (replace(made, judged=lock.judged(world.spec, {}), passed=("new",)), 0)
    world.spec, world.plan = (
        replace(world.spec, tests=(ir.Test("a", stdout="a\n"),)),
        replace(world.plan, model="openai:x"),
    )
    assert world.accepted()[1] == 1 and world.kinds() == "judged asked token token replied judged"
    assert "print('Fizz')" in model.calls[1].messages[1].text


def test_a_reply_that_was_cut_off_by_the_token_limit_is_one_attempt(world: World) -> None:
    """Its continuations count for the lock alone, and the text is read whole."""
    model, world.plan = world.model([WRONG, RIGHT[:9], RIGHT[9:]], ["stop", "length"]), replace(world.plan, attempts=2)
    made, replies = world.accepted()
    assert (made.requests, made.input_tokens, made.output_tokens, replies) == (3, 60, 9, 3) and made.program == FIZZ
    assert len(model.calls) == 3 and model.calls[2].messages[-2] == ir.Message("assistant", RIGHT[:9])
    assert [event.data["attempt"] for event in world.events if event.kind == "asked"] == [1, 2, 2]
    lock.path_for(world.spec.path).unlink()
    assert world.accepted() == (made, 3) and len(model.calls) == 3


def test_where_there_is_no_reply_the_build_ends(world: World) -> None:
    world.plan = replace(world.plan, model="nobody:x")
    (fault,) = world.refused({}).diagnostics
    assert fault.message == "no provider is called 'nobody' (fizz.toml: never built)" and world.is_open() is None
    world.plan = replace(world.plan, model="manual")
    waiting = world.refused({})
    assert (waiting.status, waiting.diagnostics, world.is_open()) == ("waiting", (), True)
    assert waiting.waiting == tuple(manual.pending(world.plan.journal)) and len(waiting.waiting) == 1
    world.plan = replace(world.plan, model="openai:gpt-5", max_cost=1.0)
    world.answers, model = [{"refused": "too much"}], world.model([RIGHT])
    assert world.refused({}).status == "failed" and world.kinds() == "afford" and model.calls == []


def test_used_programs_are_waited_for_only_when_one_is_to_be_judged(world: World) -> None:
    need = world.spec.path.with_name("b.toml")
    world.spec, model = replace(world.spec, needs=(need,)), world.model([WRONG, RIGHT])
    assert world.refused() == Outcome("invalid", (site.not_built(need),)) and len(model.calls) == 1
    assert world.kinds() == "asked token token replied needs"
    lock.path_for(need).write_text(lock.write(Lock({}, {}, Program({"b.py": "x = 1\n"}, "b.py"))))
    end = world.run()
    assert not isinstance(end, Outcome) and end[0].judged == lock.judged(world.spec, {"b.py": "x = 1\n"})
    assert world.kinds() == "asked replied needs judged asked token token replied judged", "they are waited for once"


def test_without_a_sandbox_nothing_is_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "available", lambda: False)
    world.plan = replace(world.plan, unsafe=False)
    assert world.refused({}).diagnostics[0].code == "no-sandbox" and world.events == []


def test_what_the_machine_lacks_is_told_before_anything_is_asked(world: World) -> None:
    """Else the program would be blamed for it, and the verdict recorded for good."""
    world.spec, model = replace(world.spec, tests=(ir.Test("t", command="no-such-tool x"),)), world.model([])
    assert world.refused({}) == Outcome("invalid", tuple(tools.missing(world.spec, TIER))) and world.events == []
    assert model.calls == [] and [d.code for d in tools.missing(world.spec, TIER)] == ["no-tool"]


def test_what_it_cost(world: World) -> None:
    """The lock has the sum over all replies, recorded ones too; nothing if a price is not known."""
    world.plan = replace(world.plan, model="openai:gpt-5")
    world.model([WRONG, RIGHT])
    one = prices.cost("openai:gpt-5", {}, Reply("", "stop", "", 20, 3))
    assert one and world.accepted()[0].cost == pytest.approx(2 * one)
    assert [e.data["cost"] for e in world.events if e.kind == "replied"] == [one, one]
    lock.path_for(world.spec.path).unlink()
    world.model([])
    assert world.accepted()[0].cost == pytest.approx(2 * one)
    lock.path_for(world.spec.path).unlink()
    world.plan = replace(world.plan, env={"OPENAI_API_URL": "http://localhost:1"})
    assert world.accepted()[0].cost == 0.0, "another endpoint, another price"
