"""The story of a build: what is looked at, asked, protected, written and remembered, in this order.

In: a parsed requirement file, the settings, and the statuses of the units that it needs.
Out: the events of the build and its Outcome; or, without building, where the unit stands and what
would be asked first.
"""

import os
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path

from ai_coding import __version__, journal, lock
from ai_coding.backends.manual import pending
from ai_coding.diagnostic import Diagnostic, Span, count, error
from ai_coding.driver import drive
from ai_coding.emit import emit, targets
from ai_coding.ir import Ask, Event, Outcome, Program, Request, Settings, Spec, digest
from ai_coding.prices import dollars
from ai_coding.site import Neighbours, Site, alone, clash, neighbours, survey
from ai_coding.strategies.direct import direct

Events = Generator[Event, Mapping[str, str] | None, Outcome]


def compile(spec: Spec, settings: Settings) -> Events:
    """Builds one unit. `needs` may be sent path -> status."""
    # Not a generator itself: that would run, and look at the inputs, only at its first event.
    return _compile(spec, settings, journal.fingerprints(spec.inputs))


def status(spec: Spec, settings: Settings) -> str:
    """In words: where the unit stands."""
    with alone(spec, settings) as key:
        site, problems = survey(spec, settings, key)
        if site is None:
            lost = any(problem.code == "output-lost" for problem in problems)
            return "edited by hand" if lost else problems[0].message
        if _waits(spec.path, settings.journal):
            return "waiting for a reply"
        if site.old is None:
            return "never built"
        if site.why:
            return f"stale: {site.why}"
        return _standing(site, site.old)


def requests(spec: Spec, settings: Settings) -> list[Request]:
    """The first request that a build would send, if any."""
    with alone(spec, settings) as key:
        site, _ = survey(spec, settings, key)
        if site is None or not site.why:
            return []
        first = next(direct(spec, *site.base))
        if not isinstance(first, Ask):
            return []
        model = settings.model or spec.model
        return [Request(model, site.take, spec.parameters, first.messages)]


def _compile(spec: Spec, settings: Settings, read: Mapping[str, str]) -> Events:
    """read: the fingerprints of the inputs that this build is made from."""
    with alone(spec, settings) as key:
        site, problems = survey(spec, settings, key)
        if site is None:
            return Outcome("invalid", tuple(problems))
        return (yield from _build(site, read))


def _build(site: Site, read: Mapping[str, str]) -> Events:
    spec, settings = site.spec, site.settings
    beside: Mapping[str, str] | None = None
    if site.old and not site.why:
        found = yield from neighbours(site)
        if isinstance(found, Outcome):
            return found
        beside = found
        site = replace(site, why=_rejudged(spec, site.old, found))
    if settings.locked and site.why:
        return Outcome("invalid", (_not_locked(site),))
    yield Event("started", spec.path.name, {"why": site.why, "take": site.take})
    if not settings.force:
        # Which other files there will be is not known yet, but the entry is certain.
        edited = clash(site, Program({spec.entry: ""}, spec.entry))
        if edited:
            return Outcome("invalid", tuple(edited))
    if site.old and not site.why:
        return (yield from _write(site, read, site.old, (), 0))
    accepted = yield from drive(site, beside)
    if isinstance(accepted, Outcome):
        return accepted
    made, verdict, replies = accepted
    return (yield from _write(site, read, made, verdict, replies))


def _rejudged(spec: Spec, old: lock.Lock, beside: Mapping[str, str]) -> str:
    """Why old's program must be judged again, "" if it need not."""
    return ", ".join(lock.changes(old.judged, lock.judged(spec, beside)))


def _not_locked(site: Site) -> Diagnostic:
    name = lock.path_for(site.spec.path).name
    if site.old is None:
        message = f"there is no {name} to build from"
        return error("lock-missing", message, None, "build without --locked")
    message = f"{name} does not match: {site.why}"
    return error("lock-stale", message, None, "build without --locked and commit the lock")


def _write(
    site: Site,
    read: Mapping[str, str],
    made: lock.Lock,
    verdict: tuple[Diagnostic, ...],
    replies: int,
) -> Events:
    """Writes made's program, and made itself if site has a why: then it is new."""
    spec, settings = site.spec, site.settings
    # A person may have edited a file while the model answered.
    edited = clash(site, made.program)
    if edited and not settings.force:
        return Outcome("invalid", tuple(edited))
    files = targets(made.program, settings.out)
    wanted = dict(files)
    if site.why:
        wanted[lock.path_for(spec.path)] = lock.write(made, spec.committed).encode()
    missing = {path: data for path, data in wanted.items() if not _holds(path, data)}
    keep = list(files) if edited else []
    try:
        copies = emit(missing, site.record, keep) if missing else []
    except OSError as problem:
        help = "make room for the files and build again: no answer is lost"
        return Outcome("failed", (error("emit-failed", f"cannot write: {problem}", None, help),))
    _remember(site, read, made.program, files)
    written = sorted(os.path.relpath(path) for path in missing)
    yield Event("emitted", spec.path.name, {"files": written})
    notes = (*verdict, *(_kept(copy) for copy in copies))
    ended = "built" if site.why else "locked" if missing else "current"
    return Outcome(ended, notes, made.program, summary=_summary(made, replies))


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def _kept(copy: Path) -> Diagnostic:
    message = "this is a copy of the file that was overwritten"
    return Diagnostic("note", "kept-copy", message, Span(os.path.relpath(copy)))


def _remember(
    site: Site, read: Mapping[str, str], program: Program, files: Mapping[Path, bytes]
) -> None:
    # Builds write the locks, perhaps since the inputs were read: that is no change to notice.
    locks = [lock.path_for(path) for path in (site.spec.path, *site.spec.needs)]
    # A build from the lock alone does not answer the question that another build has begun to ask.
    still_open = bool(site.settings.locked and site.state.get("open"))
    site.remember(
        take=site.state["take"] if still_open else site.take,
        open=still_open,
        seen={**read, **journal.fingerprints([*locks, *files])},
        version=__version__,
        outputs=[digest(data) for data in files.values()],
        entry=program.entry,
    )


def _summary(made: lock.Lock, replies: int) -> str:
    parts = [count(replies, "request")]
    if replies and made.output_tokens:
        parts.append(f"{made.input_tokens:,} tokens in, {made.output_tokens:,} out")
        if made.cost:
            parts.append(dollars(made.cost))
    tests = "no tests"
    if made.passed:
        tests = count(len(made.passed), "test") + f" passed in {made.sandbox}"
    return ", ".join(parts) + f"; {tests}"


def _waits(path: Path, folder: Path) -> bool:
    """Does a request of the requirement file at path wait in the journal at folder?"""
    return any(str(path) in map(str, vars(waiting).values()) for waiting in pending(folder))


def _standing(site: Site, old: lock.Lock) -> str:
    """Where a unit stands whose lock answers what is asked."""
    beside = _untold(neighbours(site))
    if isinstance(beside, Outcome):
        return f"stale: {beside.diagnostics[0].message}"
    why = _rejudged(site.spec, old, beside)
    if why:
        return f"stale: {why}"
    if clash(site, old.program):
        return "edited by hand"
    files = targets(old.program, site.settings.out)
    there = all(_holds(path, data) for path, data in files.items())
    return "up to date" if there else "not written"


def _untold(steps: Neighbours) -> Mapping[str, str] | Outcome:
    """What steps return if nobody answers their events."""
    try:
        while True:
            next(steps)
    except StopIteration as done:
        found: Mapping[str, str] | Outcome = done.value
        return found
