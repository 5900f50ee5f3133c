"""Answers what a strategy needs: Ask from the journal, else from the model; Judge likewise, by the critics.

In: a Site. Out: Events, and at the end the accepted Lock or an Outcome that says why there is none. Owns the budgets.
"""

from collections.abc import Generator, Mapping
from dataclasses import asdict, replace
from typing import TypeVar

from ai_coding import backends, emit, journal, lock, sandbox
from ai_coding.backends import manual
from ai_coding.critics import judge
from ai_coding.diagnostic import Diagnostic, Span, error, errors
from ai_coding.ir import Ask, Event, Outcome, Program, Reply, Request, Test, Verdict, Waiting, digest
from ai_coding.lock import Lock
from ai_coding.site import Site, neighbours
from ai_coding.strategies.direct import direct

Diagnostics = tuple[Diagnostic, ...]
End = TypeVar("End")
Steps = Generator[Event, Mapping[str, str] | None, End]


def drive(site: Site, beside: Mapping[str, str] | None) -> Steps[Outcome | tuple[Lock, Diagnostics, int]]:
    """Answer what the strategy needs until it returns a program, or the budget ends.

    beside: the programs of the units it needs, if they are known; else they are waited for when one is to be judged.
    Returns the lock to write, what the critics noted, and how many requests it took; or why there is no program.
    """
    spec, settings = site.spec, site.settings
    tier = sandbox.BUBBLEWRAP if sandbox.available() else sandbox.UNSAFE if settings.unsafe else ""
    if not tier:
        help = "install bubblewrap (apt install bubblewrap), or run it unconfined with --unsafe-sandbox"
        return Outcome("invalid", (error("no-sandbox", "there is no sandbox to run the program in", None, help),))
    strategy = direct(spec, *site.base)
    asks, tokens_in, tokens_out, stalls = 0, 0, 0, 0
    verdict, seen, best = Verdict((), 0, (), tier), set[str](), (-1, 0)
    kept: tuple[Program | None, Diagnostics] = (None, ())
    answer: object = None
    while True:
        try:
            need = strategy.send(answer)
        except StopIteration as done:
            program: Program = done.value
            break
        if isinstance(need, Ask):
            if asks == (settings.attempts or spec.attempts):
                return _give_up(site, f"{asks} attempts were not enough", kept, need.because)
            asks += 1
            request = Request(settings.model, site.take, spec.parameters, need.messages)
            reply = yield from _ask(site, request, asks, need.because)
            if isinstance(reply, Outcome):
                return reply
            tokens_in, tokens_out = tokens_in + reply.input_tokens, tokens_out + reply.output_tokens
            answer = reply.text
        else:
            if beside is None:
                ended = yield from neighbours(site)
                if isinstance(ended, Outcome):
                    return ended
                beside = ended
            shown = [test for test in spec.tests if not test.held_out]
            verdict = yield from _judge(site, need.program, beside, shown, tier)
            answer = list(verdict.diagnostics)
            standing = (verdict.reached, -len(errors(verdict.diagnostics)))
            stalls = 0 if standing > best else stalls + 1
            if standing > best:
                best, kept = standing, (need.program, verdict.diagnostics)
            if errors(verdict.diagnostics) and (need.program.digest in seen or stalls == 2):
                why = "the model repeats itself" if need.program.digest in seen else "two attempts brought no progress"
                return _give_up(site, why, kept, ())
            seen.add(need.program.digest)
    judged = lock.judged(spec, beside or {})
    secret = [test for test in spec.tests if test.held_out]
    hidden = yield from _judge(site, program, beside or {}, secret, tier, held_out=True)
    if errors(hidden.diagnostics):
        return _give_up(site, "a held-out test failed", (program, hidden.diagnostics), ())
    passed, confined = verdict.passed + hidden.passed, tier if spec.tests else ""
    accepted = Lock(
        site.asked, judged, program, site.take, settings.model, asks, tokens_in, tokens_out, confined, passed
    )  # fmt: skip
    if site.old and not asks:
        accepted = replace(site.old, asked=site.asked, judged=judged, sandbox=confined, passed=passed, digests={})
    return accepted, verdict.diagnostics, asks


def _ask(site: Site, request: Request, attempt: int, because: Diagnostics) -> Steps[Reply | Outcome]:
    """The reply to request: from the journal if it was ever answered, else from the model, and then recorded."""
    name, folder = site.spec.path.name, site.settings.journal
    stored = journal.get(folder, "replies", request.digest)
    about = {"attempt": attempt, "model": request.model, "request": request.digest, "recorded": stored is not None}
    yield Event("asked", name, about | {"because": [f"{d.code}: {d.message.splitlines()[0]}" for d in because]})
    reply: Reply | Waiting
    if stored is not None:
        reply = Reply(**stored)
    else:
        try:
            stream = backends.answer(request, site.settings, site.spec.path)
            while True:
                yield Event("token", name, {"text": next(stream)})
        except StopIteration as done:
            reply = done.value
        except backends.ProviderError as e:
            return Outcome("provider", (replace(e.diagnostic, message=f"{e.diagnostic.message} ({name}: {site.why})"),))
        if isinstance(reply, Waiting):
            site.remember(open=True)
            return Outcome("waiting", (), None, (reply,))
        if reply.finish == "cut":
            help = "build again: what was answered before is kept"
            message = f"the answer broke off after {len(reply.text):,} characters"
            return Outcome("provider", (error("provider-cut", message, None, help),))
        journal.put(folder, "replies", request.digest, asdict(reply))
        site.remember(open=True)
    manual.done(folder, request.digest)
    counts = {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens}
    yield Event("replied", name, {"finish": reply.finish, "characters": len(reply.text), **counts})
    return reply


def _judge(
    site: Site, program: Program, beside: Mapping[str, str], tests: list[Test], tier: str, held_out: bool = False
) -> Steps[Verdict]:
    """The verdict of the critics: recorded, because programs print times and random numbers."""
    if held_out and not tests:
        return Verdict((), 0, (), tier)
    question = digest(
        ["verdict/1", program.digest, lock.judged(site.spec, beside), [test.name for test in tests], tier]
    )
    stored = journal.get(site.settings.journal, "verdicts", question)
    if stored is None:
        spec = replace(site.spec, critics=("tests",)) if held_out else site.spec
        stored = asdict(judge(spec, program, tests, beside, tier))
        journal.put(site.settings.journal, "verdicts", question, stored)
    rows = [Diagnostic(**{**d, "span": d["span"] and Span(**d["span"])}) for d in stored["diagnostics"]]
    verdict = Verdict(tuple(rows), stored["reached"], tuple(stored["passed"]), tier)
    about = {"program": program.digest, "verdict": question, "held_out": held_out, "sandbox": tier}
    counts = {"passed": len(verdict.passed), "tests": len(tests), "errors": len(errors(rows))}
    yield Event("judged", site.spec.path.name, about | counts)
    return verdict


def _give_up(site: Site, why: str, kept: tuple[Program | None, Diagnostics], because: Diagnostics) -> Outcome:
    """The build failed: keep the best attempt where a person can look at it, and say what is wrong with it."""
    program, diagnostics = kept
    folder = site.settings.journal / "attempts" / site.key[:16]
    help = "say more in the requirement file, or ask again with --anew"
    if program:
        for path, data in emit.targets(program, folder).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            journal.write(path, data)
        help = f"the best attempt is {folder / program.entry}\n{help}"
    site.remember(open=False)
    final = error("not-accepted", f"no program was accepted: {why}", None, help)
    rest = tuple(d for d in because if d not in diagnostics)
    return Outcome("failed", (*(diagnostics or ()), *rest, final))
