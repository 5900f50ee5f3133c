"""Answer what a strategy needs, from the journal or by asking and judging, and own the budgets.

In: the site of one build, and the programs of the units it uses if they are known already.
Out: events while it works; then why there is no program, or the lock of the accepted one.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

from ai_coding import backends, critics, journal, lock, sandbox
from ai_coding.backends import manual
from ai_coding.diagnostic import Diagnostic, Span, count, error, errors
from ai_coding.emit import targets
from ai_coding.ir import (
    Ask, Event, Judge, Outcome, Program, Reply, Request, Verdict, Waiting, digest
)
from ai_coding.lock import Lock
from ai_coding.site import Site, neighbours
from ai_coding.strategies.direct import direct

_T = TypeVar("_T")
_Steps = Generator[Event, Mapping[str, str] | None, _T]
_Accepted = tuple[Lock, tuple[Diagnostic, ...], int]


@dataclass(frozen=True)
class _Build:
    """One run of a strategy: the replies and the verdicts it was given so far, in order."""

    site: Site
    tier: str
    replies: list[Reply] = field(default_factory=list)
    judged: list[tuple[Program, Verdict]] = field(default_factory=list)


def drive(
    site: Site, beside: Mapping[str, str] | None
) -> Generator[
    Event, Mapping[str, str] | None, Outcome | tuple[Lock, tuple[Diagnostic, ...], int]
]:
    """beside: the used programs, path -> text, None if not known yet. Returns why there is no
    program; or the lock to write, the diagnostics of the last verdict that was shown to the
    strategy, and how many Asks it took. Writes no output."""
    if sandbox.available():
        tier = sandbox.BUBBLEWRAP
    elif site.settings.unsafe:
        tier = sandbox.UNSAFE
    else:
        advice = "install bubblewrap, or let programs run unconfined with --unsafe-sandbox"
        message = "this machine has no sandbox to run programs in"
        return Outcome("invalid", (error("no-sandbox", message, None, advice),))
    build = _Build(site, tier)
    strategy = direct(site.spec, *site.base)
    answer: str | list[Diagnostic] | None = None
    while True:
        need = _step(strategy, answer)
        if isinstance(need, Ask):
            text = yield from _ask(build, need)
            if isinstance(text, Outcome):
                return text
            answer = text
            continue
        if beside is None:
            told = yield from neighbours(site)
            if isinstance(told, Outcome):
                return told
            beside = told
        if isinstance(need, Program):
            return (yield from _finish(build, need, beside))
        shown = yield from _judge(build, need.program, beside)
        if isinstance(shown, Outcome):
            return shown
        answer = shown


def _step(strategy: Generator[Ask | Judge, Any, Program], answer: object) -> Ask | Judge | Program:
    """What the strategy needs next, or the program that it returned."""
    try:
        return strategy.send(answer)
    except StopIteration as end:
        program: Program = end.value
        return program


def _event(site: Site, kind: str, **data: object) -> Event:
    return Event(kind, site.spec.path.name, data)


def _ask(build: _Build, ask: Ask) -> _Steps[str | Outcome]:
    """The text of the reply, or how the build ended."""
    site, settings, spec = build.site, build.site.settings, build.site.spec
    limit = settings.attempts or spec.attempts
    if len(build.replies) >= limit:
        why = f"{limit} attempts were not enough"
        return _give_up(site, build.judged, why, ask.because)
    request = Request(settings.model, site.take, spec.parameters, ask.messages)
    key = request.digest
    stored = journal.get(settings.journal, "replies", key)
    because = [d.code + ": " + d.message.partition("\n")[0] for d in errors(ask.because)]
    yield _event(
        site, "asked", attempt=len(build.replies) + 1, model=request.model, request=key,
        recorded=stored is not None, because=because,
    )
    reply: Reply | Outcome
    reply = (yield from _fetch(site, request)) if stored is None else Reply(**stored)
    if isinstance(reply, Outcome):
        return reply
    manual.done(settings.journal, key)
    build.replies.append(reply)
    yield _event(
        site, "replied", finish=reply.finish, characters=len(reply.text),
        input_tokens=reply.input_tokens, output_tokens=reply.output_tokens,
    )
    return reply.text


def _fetch(site: Site, request: Request) -> _Steps[Reply | Outcome]:
    """A whole reply, already recorded, or why there is none."""
    settings, path = site.settings, site.spec.path
    try:
        pieces = backends.answer(request, settings, path)
        while True:
            yield _event(site, "token", text=next(pieces))
    except StopIteration as end:
        answer: Reply | Waiting = end.value
    except backends.ProviderError as fault:
        message = f"{fault.diagnostic.message} ({path.name}: {site.why})"
        return Outcome("provider", (replace(fault.diagnostic, message=message),))
    if isinstance(answer, Waiting):
        site.remember(open=True)
        return Outcome("waiting", waiting=(answer,))
    if answer.finish == "cut":
        message = f"the answer broke off after {count(len(answer.text), 'character')}"
        advice = "build again: what was answered before is kept"
        return Outcome("provider", (error("provider-cut", message, None, advice),))
    journal.put(settings.journal, "replies", request.digest, asdict(answer))
    site.remember(open=True)
    return answer


def _judge(
    build: _Build, program: Program, beside: Mapping[str, str]
) -> _Steps[list[Diagnostic] | Outcome]:
    """The diagnostics for the strategy, or how the build ended."""
    verdict = yield from _verdict(build, program, beside, held_out=False)
    repeated = program.digest in [earlier.digest for earlier, _ in build.judged]
    build.judged.append((program, verdict))
    if errors(verdict.diagnostics):
        if repeated:
            return _give_up(build.site, build.judged, "the model repeats itself")
        ranks = [_rank(each) for _, each in build.judged]
        # The one before must have had errors too: only then are these two failures in a row.
        if len(ranks) > 2 and ranks[-2][1] < 0 and max(ranks[-2:]) <= max(ranks[:-2]):
            return _give_up(build.site, build.judged, "two attempts brought no progress")
    return list(verdict.diagnostics)


def _rank(verdict: Verdict) -> tuple[int, int]:
    """Greater is better: how far it got, then how few errors it has (their number, negated)."""
    return verdict.reached, -len(errors(verdict.diagnostics))


def _verdict(
    build: _Build, program: Program, beside: Mapping[str, str], held_out: bool
) -> _Steps[Verdict]:
    """The verdict of either all critics without the held-out tests, or of those tests alone."""
    site, folder, spec = build.site, build.site.settings.journal, build.site.spec
    if held_out:
        spec = replace(spec, critics=("tests",))
    tests = [test for test in spec.tests if test.held_out == held_out]
    names = [test.name for test in tests]
    rules = lock.judged(spec, beside)
    key = digest(["verdict/1", program.digest, rules, names, build.tier])
    stored = journal.get(folder, "verdicts", key)
    if stored is None:
        verdict = critics.judge(spec, program, tests, beside, build.tier)
        journal.put(folder, "verdicts", key, asdict(verdict))
    else:
        verdict = _restored(stored)
    yield _event(
        site, "judged", program=program.digest, verdict=key, held_out=held_out,
        sandbox=build.tier, passed=len(verdict.passed), tests=len(tests),
        errors=len(errors(verdict.diagnostics)),
    )
    return verdict


def _restored(stored: Mapping[str, Any]) -> Verdict:
    found = tuple(
        Diagnostic(**{**each, "span": Span(**each["span"]) if each["span"] else None})
        for each in stored["diagnostics"]
    )
    return Verdict(found, stored["reached"], tuple(stored["passed"]), stored["sandbox"])


def _give_up(
    site: Site, judged: Sequence[tuple[Program, Verdict]], why: str,
    because: Sequence[Diagnostic] = (),
) -> Outcome:
    """because: what the Ask that was refused should have mended."""
    found: list[Diagnostic] = []
    advice = "say more in the requirement file, or ask again with --anew"
    if judged:
        program, verdict = max(judged, key=lambda pair: _rank(pair[1]))
        folder = site.settings.journal / "attempts" / site.key[:16]
        if folder.exists():  # files of an earlier attempt would look like a part of this one
            sandbox.remove(folder)
        for path, data in targets(program, folder).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            journal.write(path, data)
        found.extend(verdict.diagnostics)
        advice = f"the best attempt is {folder / program.entry}\n{advice}"
    site.remember(open=False)
    found += [each for each in because if each not in found]
    found.append(error("not-accepted", f"no program was accepted: {why}", None, advice))
    return Outcome("failed", tuple(found))


def _finish(
    build: _Build, program: Program, beside: Mapping[str, str]
) -> _Steps[Outcome | _Accepted]:
    """Judge program by the held-out tests and make its lock."""
    site, spec, replies = build.site, build.site.spec, build.replies
    _, shown = build.judged[-1]
    passed = shown.passed
    if any(test.held_out for test in spec.tests):
        hidden = yield from _verdict(build, program, beside, held_out=True)
        if errors(hidden.diagnostics):
            return _give_up(site, [(program, hidden)], "a held-out test failed")
        passed += hidden.passed
    asked, judged = lock.asked(spec), lock.judged(spec, beside)
    tier = build.tier if spec.tests else ""
    if site.old is not None and not replies:
        # The program is the old one, but with its text: a lock with digests may lack it.
        made = replace(
            site.old, asked=asked, judged=judged, program=program, sandbox=tier, passed=passed,
            digests={},
        )
    else:
        spent = sum(reply.input_tokens for reply in replies)
        gained = sum(reply.output_tokens for reply in replies)
        made = Lock(
            asked, judged, program, site.take, site.settings.model, len(replies), spent, gained,
            tier, passed,
        )
    return made, shown.diagnostics, len(replies)
