"""Answers what a strategy needs, and owns the budgets.

A strategy asks for replies and for verdicts. The driver takes them from the journal if they were ever given before,
else it asks a backend or runs the critics, and records the answer before anything else happens with it. It decides
when a build gives up, judges the held-out tests, and makes the lock of an accepted program.

In: a Site (the unit, its settings, its old lock and its state) and the programs of the used units, if they are known
already.
Out: the Events of the build, one by one; at the end an Outcome that says why there is no program, or the new Lock.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from ai_coding import backends, critics, journal, lock, sandbox
from ai_coding.backends import manual
from ai_coding.diagnostic import Diagnostic, Span, count, error, errors
from ai_coding.emit import targets
from ai_coding.ir import Ask, Event, Outcome, Program, Reply, Request, Settings, Spec, Verdict, Waiting, digest
from ai_coding.lock import Lock
from ai_coding.site import Site, neighbours
from ai_coding.strategies.direct import direct

_T = TypeVar("_T")
_Steps = Generator[Event, Mapping[str, str] | None, _T]
_Judged = tuple[Program, Verdict]


@dataclass(frozen=True)
class _Build:
    """What a build knows and has spent so far. judged: in order, without the verdicts on held-out tests."""

    tier: str
    beside: Mapping[str, str] | None
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    judged: tuple[_Judged, ...] = ()


def drive(site: Site, beside: Mapping[str, str] | None) -> Generator[
    Event, Mapping[str, str] | None, Outcome | tuple[Lock, tuple[Diagnostic, ...], int]
]:
    """beside: the used programs, path -> text, None if not known yet. Returns why there is no program; or the lock to
    write, the diagnostics of the last verdict that was shown to the strategy, and how many Asks it took. Writes no
    output.

    Raises OSError if the journal cannot be written.
    """
    tier = _tier(site.settings)
    if not tier:
        advice = "install bubblewrap, or allow programs to run unconfined with --unsafe-sandbox"
        return Outcome("invalid", (error("no-sandbox", "this machine cannot confine a program", None, advice),))
    build, strategy = _Build(tier, beside), direct(site.spec, *site.base)
    answer: Any = None
    while True:
        try:
            need = strategy.send(answer)
        except StopIteration as done:
            program: Program = done.value
            break
        step: Outcome | tuple[_Build, Any]
        if isinstance(need, Ask):
            step = yield from _ask(site, build, need)
        else:
            step = yield from _judge(site, build, need.program)
        if isinstance(step, Outcome):
            return step
        build, answer = step
    return (yield from _accept(site, build, program))


def _tier(settings: Settings) -> str:
    """The tier that programs are run in, '' if they must not be run here."""
    if sandbox.available():
        return sandbox.BUBBLEWRAP
    return sandbox.UNSAFE if settings.unsafe else ""


def _event(site: Site, kind: str, **data: object) -> Event:
    return Event(kind, site.spec.path.name, data)


def _ask(site: Site, build: _Build, ask: Ask) -> _Steps[Outcome | tuple[_Build, str]]:
    """The text of a reply, recorded or new, and what the build has spent with it."""
    allowed = site.settings.attempts or site.spec.attempts
    if build.requests >= allowed:
        return _give_up(site, f"{allowed} attempts were not enough", _best(build.judged), ask.because)
    request = Request(site.settings.model, site.take, site.spec.parameters, ask.messages)
    key, attempt = request.digest, build.requests + 1
    stored = journal.get(site.settings.journal, "replies", key)
    because = [f"{fault.code}: {_first_line(fault.message)}" for fault in errors(ask.because)]
    yield _event(
        site, "asked", attempt=attempt, model=request.model, request=key, recorded=stored is not None, because=because
    )
    reply = (yield from _reply(site, request)) if stored is None else Reply(**stored)
    if isinstance(reply, Outcome):
        return reply
    manual.done(site.settings.journal, key)
    spent = {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens}
    yield _event(site, "replied", finish=reply.finish, characters=len(reply.text), **spent)
    after = replace(
        build,
        requests=attempt,
        input_tokens=build.input_tokens + reply.input_tokens,
        output_tokens=build.output_tokens + reply.output_tokens,
    )
    return after, reply.text


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _reply(site: Site, request: Request) -> _Steps[Reply | Outcome]:
    """A whole reply of the provider, which is in the journal by then; or why there is none."""
    try:
        result = yield from _stream(site, request)
    except backends.ProviderError as fault:
        return Outcome("provider", (_placed(site, fault.diagnostic),))
    if isinstance(result, Waiting):
        site.remember(open=True)
        return Outcome("waiting", waiting=(result,))
    if result.finish == "cut":
        message = f"the answer broke off after {count(len(result.text), 'character')}"
        advice = "build again: what was answered before is kept"
        return Outcome("provider", (error("provider-cut", message, None, advice),))
    journal.put(site.settings.journal, "replies", request.digest, asdict(result))
    site.remember(open=True)
    return result


def _placed(site: Site, fault: Diagnostic) -> Diagnostic:
    """fault, which has no span, with the unit that it met and why that was to be asked."""
    name = site.spec.path.name
    place = f"{name}: {site.why}" if site.why else name
    return replace(fault, message=f"{fault.message} ({place})")


def _stream(site: Site, request: Request) -> _Steps[Reply | Waiting]:
    """Every piece of the answer as an event, then the result. Raises ProviderError."""
    # A build that is given up in the middle of an answer must not leave the connection open.
    with closing(backends.answer(request, site.settings, site.spec.path)) as pieces:
        while True:
            try:
                text = next(pieces)
            except StopIteration as done:
                result: Reply | Waiting = done.value
                return result
            yield _event(site, "token", text=text)


def _judge(site: Site, build: _Build, program: Program) -> _Steps[Outcome | tuple[_Build, list[Diagnostic]]]:
    """The diagnostics of the critics, unless they show that it is of no use to go on."""
    beside = build.beside
    if beside is None:
        found = yield from neighbours(site)
        if isinstance(found, Outcome):
            return found
        beside = found
    verdict = yield from _verdict(site, site.spec, program, beside, build.tier, False)
    judged = (*build.judged, (program, verdict))
    why = _hopeless(judged)
    if why:
        return _give_up(site, why, _best(judged))
    return replace(build, beside=beside, judged=judged), list(verdict.diagnostics)


def _verdict(
    site: Site, spec: Spec, program: Program, beside: Mapping[str, str], tier: str, held_out: bool
) -> _Steps[Verdict]:
    """The verdict on program, recorded or new, by the tests that are held out or by all others."""
    tests = [test for test in spec.tests if test.held_out == held_out]
    names = [test.name for test in tests]
    question = digest(["verdict/1", program.digest, lock.judged(spec, beside), names, tier])
    stored = journal.get(site.settings.journal, "verdicts", question)
    if stored is None:
        verdict = critics.judge(spec, program, tests, beside, tier)
        journal.put(site.settings.journal, "verdicts", question, asdict(verdict))
    else:
        verdict = _restored(stored)
    yield _event(
        site,
        "judged",
        program=program.digest,
        verdict=question,
        held_out=held_out,
        sandbox=tier,
        passed=len(verdict.passed),
        tests=len(tests),
        errors=len(errors(verdict.diagnostics)),
    )
    return verdict


def _restored(stored: Mapping[str, Any]) -> Verdict:
    """The Verdict that was recorded by asdict."""
    diagnostics = tuple(_diagnostic(row) for row in stored["diagnostics"])
    return Verdict(diagnostics, stored["reached"], tuple(stored["passed"]), stored["sandbox"])


def _diagnostic(row: Mapping[str, Any]) -> Diagnostic:
    span = None if row["span"] is None else Span(**row["span"])
    return Diagnostic(row["severity"], row["code"], row["message"], span, row["help"])


def _rank(verdict: Verdict) -> tuple[int, int]:
    """Greater is better: to get further, then to have fewer errors."""
    return verdict.reached, -len(errors(verdict.diagnostics))


def _best(judged: Sequence[_Judged]) -> _Judged | None:
    """The best program so far, the first of equals; None if none was judged."""
    return max(judged, key=lambda pair: _rank(pair[1]), default=None)


def _hopeless(judged: Sequence[_Judged]) -> str:
    """Why it is of no use to go on after the last of these verdicts, '' if it may be."""
    program, verdict = judged[-1]
    if not errors(verdict.diagnostics):
        return ""
    if any(program.digest == earlier.digest for earlier, _ in judged[:-1]):
        return "the model repeats itself"
    ranks = [_rank(each) for _, each in judged]
    if len(ranks) > 2 and errors(judged[-2][1].diagnostics) and max(ranks[-2:]) <= max(ranks[:-2]):
        return "two attempts brought no progress"
    return ""


def _give_up(site: Site, why: str, best: _Judged | None, because: Sequence[Diagnostic] = ()) -> Outcome:
    """Keep the best program for a person, close the unit, and say what was wrong. because: of the refused Ask."""
    diagnostics: tuple[Diagnostic, ...] = ()
    advice = "say more in the requirement file, or ask again with --anew"
    if best is not None:
        diagnostics = best[1].diagnostics
        advice = f"the best attempt is {_keep(site, best[0])}\n{advice}"
    # Only now: a build that is killed before this goes on, and comes here again.
    site.remember(open=False)
    others = [fault for fault in because if fault not in diagnostics]
    end = error("not-accepted", f"no program was accepted: {why}", None, advice)
    return Outcome("failed", (*diagnostics, *others, end))


def _keep(site: Site, program: Program) -> str:
    """Write program where a person can look at it; returns the path of its entry. Raises OSError."""
    folder = site.settings.journal / "attempts" / site.key[:16]
    if folder.exists():
        # Files of an earlier attempt would seem to belong to this one, or be in its way.
        sandbox.remove(folder)
    for path, data in targets(program, folder).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        journal.write(path, data)
    return str(folder / program.entry)


def _accept(
    site: Site, build: _Build, program: Program
) -> _Steps[Outcome | tuple[Lock, tuple[Diagnostic, ...], int]]:
    """Judge the held-out tests of the program that the strategy returned, and make its lock."""
    assert build.beside is not None and build.judged, "a strategy returns only what was judged"
    shown = build.judged[-1][1]
    passed = shown.passed
    if any(test.held_out for test in site.spec.tests):
        alone = replace(site.spec, critics=("tests",))
        verdict = yield from _verdict(site, alone, program, build.beside, build.tier, True)
        if errors(verdict.diagnostics):
            return _give_up(site, "a held-out test failed", (program, verdict))
        passed = (*passed, *verdict.passed)
    return _lock(site, build, program, build.beside, passed), shown.diagnostics, build.requests


def _lock(site: Site, build: _Build, program: Program, beside: Mapping[str, str], passed: tuple[str, ...]) -> Lock:
    """The lock of an accepted program. If nothing was asked, the old one still says who answered."""
    asked, judged = lock.asked(site.spec), lock.judged(site.spec, beside)
    tier = build.tier if site.spec.tests else ""
    if site.old is not None and not build.requests:
        return replace(site.old, asked=asked, judged=judged, sandbox=tier, passed=passed, digests={})
    return Lock(
        asked=asked,
        judged=judged,
        program=program,
        take=site.take,
        model=site.settings.model,
        requests=build.requests,
        input_tokens=build.input_tokens,
        output_tokens=build.output_tokens,
        sandbox=tier,
        passed=passed,
    )
