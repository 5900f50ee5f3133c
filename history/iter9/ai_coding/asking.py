"""Answers an Ask: from the journal, else by a backend. Nothing is paid for twice.

In: the site of a build, what its strategy asks, and the number of the attempt; while it runs, the
answers to its events `afford`.
Out: events; at the end the whole text and the replies it was joined from, or the Outcome that says
why there is none. Whole replies are in the journal before anything else happens with them.
"""

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import asdict, replace
from typing import Any

from ai_coding import backends, continuation, journal, prices, window
from ai_coding.backends import ProviderError, manual
from ai_coding.diagnostic import Diagnostic, count, error, errors
from ai_coding.ir import Ask, Event, Outcome, Reply, Request, Waiting
from ai_coding.site import Site

LONGEST = 2_000_000  # characters of one reply; more than any model writes

_KIND = "replies"
_NO_ROOM = Reply("", "length")
_KEPT = "what was answered before is kept: build again"

_Told = Mapping[str, str] | None


def ask(
    site: Site, need: Ask, attempt: int
) -> Generator[Event, Mapping[str, str] | None, tuple[str, tuple[Reply, ...]] | Outcome]:
    """attempt: from 1. Returns the whole text, and the replies, in order, that it was joined
    from; or why there is none."""
    replies: list[Reply] = []
    steps = continuation.whole(
        Request(site.settings.model, site.take, site.spec.parameters, need.messages)
    )
    request = next(steps)
    while True:
        reply = yield from _one(site, request, need, attempt, len(replies))
        if isinstance(reply, Outcome):
            return reply
        replies.append(reply)
        try:
            request = steps.send(reply)
        except StopIteration as stop:
            text: str = stop.value
            return text, tuple(replies)


def _one(
    site: Site, request: Request, need: Ask, attempt: int, number: int
) -> Generator[Event, _Told, Reply | Outcome]:
    """The reply to one request. number: which continuation it is, from 1; 0: the first request."""
    settings, file = site.settings, site.spec.path.name
    stored = journal.get(settings.journal, _KIND, request.digest)
    reply = None if stored is None else Reply(**stored)
    if reply is None:
        problem = window.problem(site.spec, request.messages)
        if problem is not None and not number:
            return Outcome("invalid", (problem,))
        if problem is not None:
            reply = _NO_ROOM
            journal.put(settings.journal, _KIND, request.digest, asdict(reply))
    if reply is None and settings.max_cost:
        refusal = yield from _afford(site, request)
        if refusal is not None:
            return refusal
    asked: dict[str, Any] = {
        "attempt": attempt,
        "model": request.model,
        "request": request.digest,
        "recorded": reply is not None,
        "because": [
            each.code + ": " + each.message.partition("\n")[0] for each in errors(need.because)
        ],
    }
    if number:
        asked["continuation"] = number
    yield Event("asked", file, asked)
    if reply is None:
        answer = yield from _fresh(site, request, number)
        if isinstance(answer, Outcome):
            return answer
        reply = answer
    manual.done(settings.journal, request.digest)
    replied = {
        "finish": reply.finish,
        "characters": len(reply.text),
        "input_tokens": reply.input_tokens,
        "output_tokens": reply.output_tokens,
        "cost": prices.cost(request.model, settings.env, reply),
    }
    yield Event("replied", file, replied)
    return reply


def _afford(site: Site, request: Request) -> Generator[Event, _Told, Outcome | None]:
    """Why the request must not be sent under the ceiling; None if it may be."""
    most = prices.at_most(request, site.settings.env)
    if most is None:
        message = f"no price is known for {request.model}, so --max-cost cannot be kept"
        way_out = "leave --max-cost out, or choose a model whose price is known"
        return Outcome("invalid", (error("no-price", message, None, way_out),))
    told = yield Event("afford", site.spec.path.name, {"at_most": most})
    if told is None or "refused" not in told:
        return None
    site.remember(open=True)
    way_out = (
        "what was answered is kept: build again with a higher --max-cost, "
        "or set max_tokens in [model]"
    )
    return Outcome("failed", (error("over-budget", told["refused"], None, way_out),))


def _fresh(
    site: Site, request: Request, number: int
) -> Generator[Event, _Told, Reply | Outcome]:
    """A reply that was not recorded before, and is now; or why there is none."""
    try:
        answer = yield from _send(site, request)
        if isinstance(answer, Reply):
            _check(request, answer, number)
    except ProviderError as fault:
        if not number or fault.diagnostic.code != "provider-size":
            return _failure(site, fault.diagnostic)
        answer = _NO_ROOM
    if isinstance(answer, Reply):
        journal.put(site.settings.journal, _KIND, request.digest, asdict(answer))
    site.remember(open=True)
    return Outcome("waiting", waiting=(answer,)) if isinstance(answer, Waiting) else answer


def _send(site: Site, request: Request) -> Generator[Event, _Told, Reply | Waiting]:
    """Raises ProviderError: the backend's, or that the answer has no end."""
    characters = 0
    # Closed in any case: a connection that nobody reads any more is still paid for.
    with closing(backends.answer(request, site.settings, site.spec.path)) as pieces:
        while True:
            try:
                piece = next(pieces)
            except StopIteration as stop:
                answer: Reply | Waiting = stop.value
                return answer
            characters += len(piece)
            if characters > LONGEST:
                raise ProviderError(
                    "provider-endless",
                    f"{request.model} answers without end: more than {LONGEST:,} characters",
                    "set max_tokens in [model], or choose another model with -m",
                )
            yield Event("token", site.spec.path.name, {"text": piece})


def _check(request: Request, reply: Reply, number: int) -> None:
    """Raises ProviderError if this is no whole reply."""
    if reply.finish == "cut":
        characters = count(len(reply.text), "character")
        raise ProviderError("provider-cut", f"the answer broke off after {characters}")
    if number or reply.text.strip():
        return
    if reply.finish == "length":
        raise ProviderError(
            "provider-empty",
            f"{request.model} reached the token limit before it wrote anything",
            "raise max_tokens in [model]: a model that thinks first needs room for that too",
        )
    raise ProviderError(
        "provider-empty",
        f"{request.model} answered, but with an empty text",
        "if it does so again, choose another model with -m",
    )


def _failure(site: Site, fault: Diagnostic) -> Outcome:
    """The fault, with the unit it was asked for, why, and, if a provider was asked, that nothing
    is lost."""
    message = f"{fault.message} ({site.spec.path.name}: {site.why})"
    way_out = fault.help
    # Other codes, such as no-key, say that nobody was asked.
    if fault.code.startswith("provider-"):
        way_out = f"{way_out}\n{_KEPT}" if way_out else _KEPT
    return Outcome("provider", (replace(fault, message=message, help=way_out),))
