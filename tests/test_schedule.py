"""Many units at once: each asks as soon as a worker is free, and is judged when those it uses have ended."""

import sys
import threading
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from ai_coding import compiler, ir, languages, prices, schedule, site
from ai_coding.ir import Event, Outcome, Reply, Request, Settings, Spec


class Model(ModuleType):
    """A provider that answers by the file it is asked for; begun and going say how many answers are under way."""

    def __init__(self, folder: Path) -> None:
        super().__init__("openai")
        self.plan = Settings(folder / "journal", folder, "openai:x", unsafe=True)
        self.folder, self.asked = folder, list[str]()
        self.texts: dict[str, str] = {}
        self.tokens = (0, 0)
        self.wait = threading.Barrier(1)
        self.hold = threading.Event()
        self.hold.set()

    def answer(self, request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply]:
        self.asked.append(spec.stem)
        self.wait.wait(10)
        yield ""
        self.hold.wait(10)
        text = f"````\n{self.texts.get(spec.stem, 'print(1)')}\n````\n"
        return Reply(text, "stop", "", *self.tokens)

    def unit(self, name: str, *needs: str) -> tuple[Spec, Settings]:
        python, tests = languages.find("python"), (ir.Test("one", stdout="1\n"),)
        assert python
        paths = tuple(self.folder / f"{need}.toml" for need in needs)
        rest = {"tests": tests, "critics": ("tests",), "needs": paths, "attempts": 2}
        return Spec(self.folder / f"{name}.toml", name, python, {"": "…"}, **rest), self.plan  # type: ignore[arg-type]

    def build(self, *units: tuple[Spec, Settings], jobs: int = 4) -> tuple[list[Event], list[Outcome]]:
        steps, events = schedule.build(units, jobs), list[Event]()
        try:
            while True:
                events.append(next(steps))
        except StopIteration as done:
            return events, done.value

    def ends(self, *units: tuple[Spec, Settings], jobs: int = 4) -> str:
        return " ".join(outcome.status for outcome in self.build(*units, jobs=jobs)[1])


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ai_coding.backends.openai", made := Model(tmp_path))
    return made


def test_no_units_need_no_work() -> None:
    with pytest.raises(StopIteration) as done:
        next(schedule.build([], 1))
    assert done.value.value == []


def test_outcomes_are_in_the_order_of_units(model: Model) -> None:
    model.texts = {"b": "print(2)"}
    events, outcomes = model.build(model.unit("a"), model.unit("b"), model.unit("c"))
    assert [o.status for o in outcomes] == ["built", "failed", "built"]
    assert [o.program.entry for o in outcomes if o.program] == ["a.py", "c.py"]
    kinds = [event.kind for event in events if event.spec == "a.toml"]
    assert kinds == ["started", "asked", "token", "replied", "judged", "emitted", "ended"], "those of one unit in order"
    assert events[0] == Event("building", "", {"units": 3, "jobs": 4})
    ends = {event.spec: event.data for event in events if event.kind == "ended"}
    assert ends == {f"{name}.toml": {"status": o.status} for name, o in zip("abc", outcomes, strict=True)}


@pytest.mark.parametrize("jobs", [1, 3])
def test_all_ask_at_once_and_are_judged_in_the_order_of_need(model: Model, jobs: int) -> None:
    """Users stand before what they use; with one worker a build that waits does not keep it."""
    model.texts = {"c": "import b\nassert b.x == 1", "b": "import a\nx = a.x", "a": "x = 1\nprint(1)"}
    model.wait = threading.Barrier(jobs)  # each answer comes only when jobs of them are under way
    units = [model.unit("c", "b", "a"), model.unit("b", "a"), model.unit("a")]
    events, outcomes = model.build(*units, jobs=jobs)
    assert [o.status for o in outcomes] == ["built"] * 3 and sorted(model.asked) == ["a", "b", "c"]
    assert [e.spec for e in events if e.kind == "emitted"] == ["a.toml", "b.toml", "c.toml"]
    steps = {"building", "started", "asked", "token", "replied", "judged", "emitted", "ended"}
    assert {e.kind for e in events} - {"waits"} == steps, "needs is answered"
    told = {e.spec: e.data["needs"] for e in events if e.kind == "waits"}
    assert all(set(told[name]) <= {"a.toml", "b.toml"} and told[name] for name in told) and "a.toml" not in told
    if jobs == 1:
        assert told == {"c.toml": ["b.toml", "a.toml"], "b.toml": ["a.toml"]}
    assert model.ends(*units, jobs=jobs) == "current current current"


def test_what_is_not_built_along_has_to_be_there(model: Model) -> None:
    """It is known before anything is asked; those that need such a unit end like it."""
    user, top, other = model.unit("user", "library"), model.unit("top", "user", "library"), model.unit("other")
    missing = Outcome("invalid", (site.not_built(model.folder / "library.toml"),))
    events, outcomes = model.build(user, top)
    assert outcomes == [missing, missing] and model.asked == []
    assert events[1:] == [Event("ended", f"{name}.toml", {"status": "invalid"}) for name in ("user", "top")]
    assert model.ends(user, top, other) == "invalid invalid built" and model.asked == ["other"]
    assert model.ends(model.unit("library")) == "built"
    assert model.ends(user, top) == "built built"


@pytest.mark.parametrize(("name", "text", "status"), [("manual", "", "waiting"), ("openai:x", "print(2)", "failed")])
def test_how_a_needed_unit_ended_is_told(model: Model, name: str, text: str, status: str) -> None:
    """One that waits lets its users wait, one that failed lets them fail, though its old lock is there."""
    spec, plan = model.unit("a")
    assert model.ends((spec, plan)) == "built"
    spec, model.texts = replace(spec, requirements={"": "New."}), {"a": text}
    ended = model.ends(model.unit("user", "a"), (spec, replace(plan, model=name)))
    assert ended == f"{status} {'waiting' if name == 'manual' else 'failed'}"
    assert not (model.folder / "user.py").exists() and "user" in model.asked


def test_an_interrupted_build_asks_nothing_more(model: Model) -> None:
    """The answer under way is recorded; no other unit starts, and nothing is asked to mend it."""
    model.texts = {"a": "print(2)"}
    model.hold.clear()
    units = [model.unit("a"), model.unit("b")]
    steps = schedule.build(units, 1)
    assert [next(steps).kind for _ in range(4)] == ["building", "started", "asked", "token"]
    threading.Timer(0.2, model.hold.set).start()
    steps.close()
    assert model.asked == ["a"] and len(list((model.folder / "journal" / "replies").glob("*/*"))) == 1
    assert model.ends(*units) == "failed built" and model.asked.count("a") == 2


def test_a_bug_in_a_worker_is_an_exception(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is raised where the events are read, and does not leave the others running."""
    monkeypatch.setattr(model, "answer", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.build(model.unit("a"), model.unit("b"), jobs=1)


def test_a_ceiling_holds_for_all_units_together(model: Model) -> None:
    """What could be spent counts while it is under way, what was spent afterwards."""
    model.tokens = (1000, 100)
    plan = replace(model.plan, model="openai:gpt-5")
    cost = prices.cost("openai:gpt-5", {}, Reply("", input_tokens=1000, output_tokens=100))
    units = [(spec, plan) for spec, _ in (model.unit(name) for name in "abcd")]
    most = max(prices.at_most(request, {}) or 0 for unit in units for request in compiler.requests(*unit))
    assert cost and cost * 10 < most

    def ends(ceiling: float, jobs: int) -> list[str]:
        paid = [(spec, replace(plan, max_cost=ceiling)) for spec, _ in units]
        events, outcomes = model.build(*paid, jobs=jobs)
        assert "afford" not in {event.kind for event in events}
        return [f"{o.status} {o.diagnostics[0].message}" if o.diagnostics else o.status for o in outcomes]

    assert model.asked == [] and "built" not in ends(most / 2, 4) and model.asked == []
    tight = most + cost * 1.5  # of four one after the other, the third would be over it
    said = ends(tight, 1)
    assert said[:2] == ["built", "built"] and model.asked == ["a", "b"]
    spent, least = (prices.dollars(amount) for amount in (2 * cost, tight))
    assert said[2].startswith("failed this request can cost up to $") and said[2].endswith(
        f"; of {least}, {spent} are spent or promised"
    )
    assert said[3].startswith("failed this request can cost up to $")
    model.wait = threading.Barrier(2)  # two at once, or never
    assert ends(most * 2.5, 2) == ["current", "current", "built", "built"]


def test_what_nobody_reported_counts_as_promised(model: Model) -> None:
    plan = replace(model.plan, model="openai:gpt-5")
    units = [(spec, plan) for spec, _ in (model.unit(name) for name in "ab")]
    most = max(prices.at_most(request, {}) or 0 for unit in units for request in compiler.requests(*unit))
    paid = [(spec, replace(plan, max_cost=most * 1.5)) for spec, _ in units]
    assert model.ends(*paid, jobs=1) == "built failed" and model.asked == ["a"]
