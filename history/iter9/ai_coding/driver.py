"""Answers what a strategy needs, from a model, the journal or the critics, and owns the budgets.

In: the site of one unit (its Spec, settings, old lock and state), and the texts of the programs
it uses, if they are known yet.
Out: events as the build goes on; at the end the lock to write, or the Outcome that says why there
is no program. Verdicts and the best attempt are kept in the journal.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ai_coding import journal, lock, prices, sandbox, tools
from ai_coding.asking import ask
from ai_coding.critics import judge
from ai_coding.diagnostic import Diagnostic, Span, error, errors
from ai_coding.emit import targets
from ai_coding.ir import Ask, Event, Outcome, Program, Reply, Verdict, digest
from ai_coding.lock import Lock
from ai_coding.site import Site, neighbours
from ai_coding.strategies.direct import direct


@dataclass(frozen=True)
class _Course:
    """How far this build has come. idle: verdicts in a row without progress; stop: why to end."""

    best: tuple[Program, Verdict] | None = None
    judged: frozenset[str] = frozenset()
    idle: int = 0
    stop: str = ""


def drive(site: Site, beside: Mapping[str, str] | None) -> Generator[
    Event, Mapping[str, str] | None, Outcome | tuple[Lock, tuple[Diagnostic, ...], int]
]:
    """beside: the used programs, path -> text, None if not known yet. Returns why there is no
    program; or the lock to write, the diagnostics of the last verdict that was shown to the
    strategy, and how many replies it took. Writes no output."""
    spec, confined = site.spec, sandbox.available()
    if not confined and not site.settings.unsafe:
        message = "there is no sandbox on this machine to run programs in"
        advice = "install bubblewrap, or run programs unconfined with --unsafe-sandbox"
        return Outcome("invalid", (error("no-sandbox", message, None, advice),))
    tier = sandbox.BUBBLEWRAP if confined else sandbox.UNSAFE
    if lacking := tools.missing(spec, tier):
        return Outcome("invalid", tuple(lacking))
    limit = site.settings.attempts or spec.attempts
    attempts = 0
    replies: list[Reply] = []
    course = _Course()
    last: Verdict | None = None
    strategy = direct(spec, *site.base)
    given: str | list[Diagnostic] | None = None
    while True:
        try:
            need = strategy.send(given)
        except StopIteration as done:
            program: Program = done.value
            break
        if isinstance(need, Ask):
            if attempts >= limit:
                why = f"{limit} attempts were not enough"
                return _give_up(site, why, course.best, need.because)
            attempts += 1
            answer = yield from ask(site, need, attempts)
            if isinstance(answer, Outcome):
                return answer
            given, parts = answer
            replies.extend(parts)
            continue
        if beside is None:
            found = yield from neighbours(site)
            if isinstance(found, Outcome):
                return found
            beside = found
        last = yield from _judge(site, need.program, beside, tier, held_out=False)
        course = _after(course, need.program, last)
        if course.stop:
            return _give_up(site, course.stop, course.best)
        given = list(last.diagnostics)
    assert last is not None and beside is not None, "a strategy returned what was never judged"
    passed = last.passed
    if any(test.held_out for test in spec.tests):
        hidden = yield from _judge(site, program, beside, tier, held_out=True)
        if errors(hidden.diagnostics):
            return _give_up(site, "a held-out test failed", (program, hidden))
        passed = (*passed, *hidden.passed)
    made = replace(
        _lock(site, replies, program),
        asked=lock.asked(spec),
        judged=lock.judged(spec, beside),
        sandbox=tier if spec.tests else "",
        passed=passed,
    )
    return made, last.diagnostics, len(replies)


def _judge(
    site: Site, program: Program, beside: Mapping[str, str], tier: str, held_out: bool
) -> Generator[Event, Mapping[str, str] | None, Verdict]:
    folder = site.settings.journal
    spec = replace(site.spec, critics=("tests",)) if held_out else site.spec
    tests = tuple(test for test in spec.tests if test.held_out == held_out)
    names, rules = [test.name for test in tests], lock.judged(spec, beside)
    question = digest(["verdict/1", program.digest, rules, names, tier])
    stored = journal.get(folder, "verdicts", question)
    if stored is None:
        verdict = judge(spec, program, tests, beside, tier)
        journal.put(folder, "verdicts", question, asdict(verdict))
    else:
        verdict = _restored(stored)
    data: dict[str, Any] = {"program": program.digest, "verdict": question, "held_out": held_out}
    numbers = {"passed": len(verdict.passed), "tests": len(tests)}
    wrong = len(errors(verdict.diagnostics))
    data.update(sandbox=tier, errors=wrong, **numbers)
    yield Event("judged", site.spec.path.name, data)
    return verdict


def _restored(stored: Any) -> Verdict:
    diagnostics = tuple(
        replace(Diagnostic(**one), span=Span(**one["span"]) if one["span"] else None)
        for one in stored["diagnostics"]
    )
    return Verdict(diagnostics, stored["reached"], tuple(stored["passed"]), stored["sandbox"])


def _after(course: _Course, program: Program, verdict: Verdict) -> _Course:
    progress = course.best is None or _rank(verdict) > _rank(course.best[1])
    failed = bool(errors(verdict.diagnostics))
    idle = course.idle + 1 if failed and not progress else 0
    stop = "two attempts brought no progress" if idle == 2 else ""
    if failed and program.digest in course.judged:
        stop = "the model repeats itself"
    best = (program, verdict) if progress else course.best
    return _Course(best, course.judged | {program.digest}, idle, stop)


def _rank(verdict: Verdict) -> tuple[int, int]:
    return verdict.reached, -len(errors(verdict.diagnostics))


def _give_up(
    site: Site, why: str, best: tuple[Program, Verdict] | None, because: Sequence[Diagnostic] = ()
) -> Outcome:
    known: tuple[Diagnostic, ...] = ()
    advice = "say more in the requirement file, or ask again with --anew"
    if best is not None:
        program, known = best[0], best[1].diagnostics
        folder = site.settings.journal / "attempts" / site.key[:16]
        if folder.exists():  # files of an earlier attempt are no part of this one
            sandbox.remove(folder)
        for path, data in targets(program, folder).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            journal.write(path, data)
        advice = f"the best attempt is {folder / program.entry}\n{advice}"
    site.remember(open=False)  # last: a build that is killed before it goes on and writes again
    others = [diagnostic for diagnostic in because if diagnostic not in known]
    end = error("not-accepted", f"no program was accepted: {why}", None, advice)
    return Outcome("failed", (*known, *others, end))


def _lock(site: Site, replies: Sequence[Reply], program: Program) -> Lock:
    """The program and who answered; what it was judged by is not in it yet."""
    if site.old is not None and not replies:
        return replace(site.old, program=program, digests={})
    settings = site.settings
    costs = [prices.cost(settings.model, settings.env, reply) for reply in replies]
    known = [cost for cost in costs if cost is not None]
    total = sum(known, 0.0) if len(known) == len(costs) else 0.0
    read, written = sum(r.input_tokens for r in replies), sum(r.output_tokens for r in replies)
    model, number = settings.model, len(replies)
    return Lock({}, {}, program, site.take, model, number, read, written, cost=total)
