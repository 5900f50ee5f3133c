"""An Ask is answered: nothing is asked twice, what the token limit cut off is continued, and every fault is told."""

import sys
from collections.abc import Generator
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import pytest
from ai_coding import asking, continuation, journal, languages, prices, site
from ai_coding.backends import ProviderError, manual
from ai_coding.diagnostic import Diagnostic, error
from ai_coding.ir import Ask, Event, Message, Outcome, Reply, Request, Settings, Spec

NEED = Ask((Message("user", "hi"),), (error("tests", "it\nfails"), Diagnostic("note", "n", "no error")))
KEPT = "what was answered before is kept: build again"
Answer = Reply | ProviderError
SIZE = ProviderError("provider-size", "too big", "smaller")


def part(text: str, finish: str = "length") -> Reply:
    return Reply(text, finish, "x-1", 20, 3)


class Model(ModuleType):
    """A provider that gives its answers in turn, each in pieces of three characters."""

    def __init__(self, answers: tuple[Answer, ...]) -> None:
        super().__init__("openai")
        self.answers, self.calls, self.closed = list(answers), list[Request](), False

    def answer(self, request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply]:
        self.calls.append(request)
        found = self.answers.pop(0)
        if isinstance(found, ProviderError):
            raise found
        try:
            for start in range(0, len(found.text), 3):
                yield found.text[start : start + 3]
        finally:
            self.closed = True
        return found


class World:
    """A unit and its settings."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        python, self.patch = languages.find("python"), patch
        assert python
        self.spec = Spec(folder / "fizz.toml", "fizz", python, {"": "Print Fizz."}, parameters={"seed": 1})
        self.plan = Settings(folder / "journal", folder, "openai:x")
        self.events: list[Event] = []
        self.first = self.request("openai:x")

    def request(self, model: str) -> Request:
        return Request(model, 1, self.spec.parameters, NEED.messages)

    def further(self, text: str) -> Request:
        return continuation.further(self.first, text)

    def model(self, *answers: Answer) -> Model:
        self.patch.setitem(sys.modules, "ai_coding.backends.openai", model := Model(answers))
        return model

    def run(self, *told: dict[str, str]) -> tuple[str, tuple[Reply, ...]] | Outcome:
        """told: the answers to the events `afford`."""
        with site.alone(self.spec, self.plan) as key:
            found, _ = site.survey(self.spec, self.plan, key)
            assert found
            steps, self.events, words = asking.ask(found, NEED, 2), [], list(told)
            send: dict[str, str] | None = None
            try:
                while True:
                    self.events.append(steps.send(send))
                    send = words.pop(0) if self.events[-1].kind == "afford" and words else None
            except StopIteration as done:
                end: tuple[str, tuple[Reply, ...]] | Outcome = done.value
                return end

    def fault(self, status: str = "provider") -> Diagnostic:
        end = self.run()
        assert isinstance(end, Outcome) and end.status == status and len(end.diagnostics) == 1, end
        return end.diagnostics[0]

    def kinds(self) -> str:
        return " ".join(event.kind for event in self.events)

    def stored(self, request: Request) -> object:
        return journal.get(self.plan.journal, "replies", request.digest)

    def is_open(self) -> object:
        return (journal.get(self.plan.journal, "units", journal.unit(self.spec.path, self.plan.out)) or {}).get("open")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def test_a_reply_is_recorded_and_never_asked_for_again(world: World) -> None:
    model = world.model(part("abcd", "stop"))
    assert world.run() == ("abcd", (part("abcd", "stop"),)) and model.calls == [world.first]
    head = {"attempt": 2, "model": "openai:x", "request": world.first.digest}
    counts = {"characters": 4, "input_tokens": 20, "output_tokens": 3, "cost": None}
    assert world.events == [
        Event("asked", "fizz.toml", {**head, "recorded": False, "because": ["tests: it"]}),
        Event("token", "fizz.toml", {"text": "abc"}),
        Event("token", "fizz.toml", {"text": "d"}),
        Event("replied", "fizz.toml", {"finish": "stop", **counts}),
    ]
    assert world.stored(world.first) == asdict(part("abcd", "stop")) and world.is_open() is True
    assert world.run() == ("abcd", (part("abcd", "stop"),)) and len(model.calls) == 1
    assert world.kinds() == "asked replied" and world.events[0].data["recorded"] is True


def test_what_the_token_limit_cut_off_is_continued(world: World) -> None:
    """Each continuation is a request of its own, asked and recorded like any other; parts are joined."""
    model = world.model(part("abcd"), part("ef"), part("", "stop"))
    assert world.run() == ("abcdef", (part("abcd"), part("ef"), part("", "stop")))
    assert model.calls == [world.first, world.further("abcd"), world.further("abcdef")]
    assert world.kinds() == "asked token token replied asked token replied asked replied"
    asked = [event.data for event in world.events if event.kind == "asked"]
    head = {"attempt": 2, "model": "openai:x", "recorded": False, "because": ["tests: it"]}
    assert asked[1] == {**head, "request": model.calls[1].digest, "continuation": 1}
    assert asked[2] == {**head, "request": model.calls[2].digest, "continuation": 2}
    assert [event.data["characters"] for event in world.events if event.kind == "replied"] == [4, 2, 0]


def test_a_build_that_was_killed_goes_on_in_the_middle(world: World) -> None:
    world.model(part("abcd"), ProviderError("provider-500", "it broke"))
    assert world.fault().message == "it broke (fizz.toml: never built)"
    model = world.model(part("ef", "stop"))
    assert world.run() == ("abcdef", (part("abcd"), part("ef", "stop")))
    assert model.calls == [world.further("abcd")] and world.kinds() == "asked replied asked token replied"


def test_a_continuation_for_which_there_is_no_room(world: World) -> None:
    """The text so far has to do, and the next build does not ask for more either."""
    world.model(part("abcd"), SIZE)
    end = ("abcd", (part("abcd"), Reply("", "length")))
    assert world.run() == end and world.stored(world.further("abcd")) == asdict(Reply("", "length"))
    assert world.run() == end and world.kinds() == "asked replied asked replied"


def test_a_request_that_does_not_fit_is_not_sent(world: World) -> None:
    """What is recorded did fit, and is not looked at again."""
    model = world.model(part("abcd", "stop"))
    world.spec = replace(world.spec, context_window=1000, parameters={"max_tokens": 2000})
    fault = world.fault("invalid")
    assert fault.code == "too-long" and "requirements" in fault.help
    assert world.events == [] and model.calls == [] and world.is_open() is None
    world.spec = replace(world.spec, context_window=3000)
    assert world.run()[0] == "abcd"  # type: ignore[index]
    world.spec = replace(world.spec, context_window=1000)
    assert world.run()[0] == "abcd" and len(model.calls) == 1  # type: ignore[index]


def test_a_continuation_that_does_not_fit_is_not_sent(world: World) -> None:
    """As if it had been recorded that there is no room; it costs nothing, so nobody is asked whether it may be sent."""
    world.plan, world.first = replace(world.plan, model="openai:gpt-5", max_cost=1.0), world.request("openai:gpt-5")
    world.spec = replace(world.spec, context_window=1000)
    model = world.model(part("a" * 9000))
    end = ("a" * 9000, (part("a" * 9000), Reply("", "length")))
    assert world.run({}) == end and model.calls == [world.first] and world.is_open() is True
    events = [(each.kind, each.data.get("recorded")) for each in world.events if each.kind != "token"]
    assert events == [("afford", None), ("asked", False), ("replied", None), ("asked", True), ("replied", None)]
    assert world.stored(world.further("a" * 9000)) == asdict(Reply("", "length"))


FAULTS: list[tuple[Answer, Diagnostic]] = [
    (SIZE, error("provider-size", "too big", None, f"smaller\n{KEPT}")),
    (ProviderError("provider-x", "it broke"), error("provider-x", "it broke", None, KEPT)),
    (ProviderError("no-key", "no key", "set it"), error("no-key", "no key", None, "set it")),
    (part("abcd", "cut"), error("provider-cut", "the answer broke off after 4 characters", None, KEPT)),
    (part("", "cut"), error("provider-cut", "the answer broke off after 0 characters", None, KEPT)),
    (part(" \n", "length"), error("provider-empty", "openai:x reached the token limit before it wrote anything", None,
     f"raise max_tokens in [model]: a model that thinks first needs room for that too\n{KEPT}")),
    (part("", "stop"), error("provider-empty", "openai:x answered, but with an empty text", None,
     f"if it does so again, choose another model with -m\n{KEPT}")),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "told"), FAULTS)
def test_faults(world: World, answer: Answer, told: Diagnostic) -> None:
    """Nothing is recorded, so that the next build asks again. The message says for whom it was asked, and why."""
    world.model(answer)
    assert world.fault() == replace(told, message=f"{told.message} (fizz.toml: never built)")
    assert world.stored(world.first) is None and world.is_open() is None and "replied" not in world.kinds()


def test_a_reply_without_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend is told to stop; what is in bounds is a reply."""
    assert asking.LONGEST == 2_000_000
    monkeypatch.setattr(asking, "LONGEST", 7)
    model = world.model(part("abcdefgh", "stop"), part("abcdefg", "stop"))
    help = f"set max_tokens in [model], or choose another model with -m\n{KEPT}"
    message = "openai:x answers without end: more than 7 characters (fizz.toml: never built)"
    assert world.fault() == error("provider-endless", message, None, help)
    assert model.closed and world.stored(world.first) is None
    assert world.run() == ("abcdefg", (part("abcdefg", "stop"),))


def test_a_reply_that_comes_later(world: World) -> None:
    """What waits is open, and its files go when its answer is in the journal."""
    world.plan = replace(world.plan, model="manual")
    end = world.run()
    assert isinstance(end, Outcome) and (end.status, end.diagnostics) == ("waiting", ())
    assert (
        end.waiting == tuple(manual.pending(world.plan.journal)) and len(end.waiting) == 1 and world.is_open() is True
    )
    end.waiting[0].reply.write_text("text")
    assert world.run() == ("text", (Reply("text", "stop", "manual"),))
    assert list((world.plan.journal / "pending").iterdir()) == []


def test_the_ceiling_is_asked_before_a_request_is_sent(world: World) -> None:
    """Before a continuation too; nothing that is recorded is asked about, and what is refused can go on later."""
    world.plan, world.first = replace(world.plan, model="openai:gpt-5", max_cost=1.0), world.request("openai:gpt-5")
    model = world.model(part("abc"), part("d", "stop"))
    help = "what was answered is kept: build again with a higher --max-cost, or set max_tokens in [model]"
    refused = error("over-budget", "too much", None, help)
    assert world.run({}, {"refused": "too much"}) == Outcome("failed", (refused,)) and world.is_open() is True
    assert world.kinds() == "afford asked token replied afford" and model.calls == [world.first]
    most = [event.data for event in world.events if event.kind == "afford"]
    assert most[0] == {"at_most": pytest.approx(prices.at_most(world.first, {}))}
    assert most[1] == {"at_most": pytest.approx(prices.at_most(world.further("abc"), {}))}
    assert world.run({})[0] == "abcd"  # type: ignore[index]
    assert world.kinds() == "asked replied afford asked token replied"
    one = prices.cost("openai:gpt-5", {}, part("abc"))
    assert one and [event.data["cost"] for event in world.events if event.kind == "replied"] == [one, one]


def test_without_a_price_no_ceiling_can_be_kept(world: World) -> None:
    world.plan = replace(world.plan, max_cost=1.0)
    model = world.model(part("abc", "stop"))
    message = "no price is known for openai:x, so --max-cost cannot be kept"
    help = "leave --max-cost out, or choose a model whose price is known"
    assert world.fault("invalid") == error("no-price", message, None, help)
    assert model.calls == [] and world.events == []
    world.plan = replace(world.plan, model="manual")
    end = world.run()
    assert isinstance(end, Outcome) and end.status == "waiting" and world.kinds() == "afford asked", "a person is free"
