"""The story of a build: what is looked at, asked, protected, written and remembered, in this order.

In: a Spec and the Settings; while a build runs, the statuses of the units that it needs.
Out: the Events of a build and its Outcome; in words where a unit stands; the request that a build would send first.
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
from ai_coding.site import Neighbours, Site, alone, clash, neighbours, survey
from ai_coding.strategies.direct import direct

Events = Generator[Event, Mapping[str, str] | None, Outcome]
# The lock, the diagnostics of its last verdict, and how many Asks it took.
_Accepted = tuple[lock.Lock, tuple[Diagnostic, ...], int]


def compile(spec: Spec, settings: Settings) -> Events:
    """Builds one unit. `needs` may be sent path -> status."""
    # Taken before anything is asked: an input that is edited while the model answers must not pass for seen.
    seen = journal.fingerprints(spec.inputs)
    with alone(spec, settings) as key:
        site, problems = survey(spec, settings, key)
        if site is None or problems:
            return Outcome("invalid", tuple(problems))
        return (yield from _build(site, seen))


def status(spec: Spec, settings: Settings) -> str:
    """In words: where the unit stands."""
    with alone(spec, settings) as key:
        site, problems = survey(spec, settings, key)
        if site is None or problems:
            lost = any(problem.code == "output-lost" for problem in problems)
            return "edited by hand" if lost else problems[0].message
        if any(waiting.spec == spec.path for waiting in pending(settings.journal)):
            return "waiting for a reply"
        if site.old is None:
            return "never built"
        return f"stale: {site.why}" if site.why else _standing(site, site.old)


def requests(spec: Spec, settings: Settings) -> list[Request]:
    """The first request that a build would send, if any."""
    with alone(spec, settings) as key:
        site, _ = survey(spec, settings, key)
        if site is None or not site.why:
            return []
        first = next(direct(spec, *site.base), None)
        if not isinstance(first, Ask):
            return []
        return [Request(settings.model or spec.model, site.take, spec.parameters, first.messages)]


def _build(site: Site, seen: Mapping[str, str]) -> Events:
    """The build of a unit that can start. seen: the fingerprints of its inputs."""
    spec, settings = site.spec, site.settings
    beside: Mapping[str, str] | None = None
    if not site.why:
        found = yield from neighbours(site)
        if isinstance(found, Outcome):
            return found
        beside = found
        site = replace(site, why=_rejudged(site, _old(site), found))
    if settings.locked and site.why:
        return Outcome("invalid", (_not_locked(site),))
    yield Event("started", spec.path.name, {"why": site.why, "take": site.take})
    # What the program will be is not known yet, but where it will be is: no reply is paid for that cannot be written.
    edited = [] if settings.force else clash(site, Program({spec.entry: ""}, spec.entry))
    if edited:
        return Outcome("invalid", tuple(edited))
    if not site.why:
        return (yield from _finish(site, (_old(site), (), 0), seen))
    result = yield from drive(site, beside)
    if isinstance(result, Outcome):
        return result
    return (yield from _finish(site, result, seen))


def _finish(site: Site, accepted: _Accepted, seen: Mapping[str, str]) -> Events:
    """Writes and remembers what was accepted; its lock is new if the site has a why."""
    made, notes, asks = accepted
    # Again, because a person may have edited while the model answered.
    clashes = clash(site, made.program)
    if clashes and not site.settings.force:
        return Outcome("invalid", tuple(clashes))
    files = targets(made.program, site.settings.out)
    changed = _changed(site, made, files)
    keep = [path for path in files if path in changed] if clashes else []
    try:
        copies = emit(changed, site.record, keep) if changed else []
    except OSError as problem:
        help = "mend that and build again: no answer is lost"
        return Outcome("failed", (error("emit-failed", f"cannot write: {problem}", None, help),))
    _remember(site, files, made.program.entry, seen)
    yield Event("emitted", site.spec.path.name, {"files": sorted(os.path.relpath(path) for path in changed)})
    ended = "built" if site.why else "locked" if changed else "current"
    kept = [_kept(copy) for copy in copies]
    return Outcome(ended, (*notes, *kept), made.program, summary=_summary(made, asks))


def _changed(site: Site, made: lock.Lock, files: Mapping[Path, bytes]) -> dict[Path, bytes]:
    """Those of the program's files, and of the lock if it is new, that do not hold their bytes already."""
    wanted = dict(files)
    if site.why:
        wanted[lock.path_for(site.spec.path)] = lock.write(made, site.spec.committed).encode("utf-8")
    return {path: data for path, data in wanted.items() if not _holds(path, data)}


def _holds(path: Path, data: bytes) -> bool:
    """Is path a file with these bytes? What cannot be read is not."""
    try:
        return path.is_file() and path.read_bytes() == data
    except OSError:
        return False


def _remember(site: Site, files: Mapping[Path, bytes], entry: str, seen: Mapping[str, str]) -> None:
    """Records what the next build compares with. files: the program's; seen: the fingerprints of the inputs."""
    take: dict[str, object] = {"open": False}
    if site.settings.locked and site.state.get("open"):
        # A build from the lock did not answer the take that is open: a later build goes on with it.
        take = {name: site.state[name] for name in ("take", "open")}
    written = journal.fingerprints([lock.path_for(site.spec.path), *files])
    site.remember(
        seen={**seen, **written},
        version=__version__,
        outputs=[digest(data) for data in files.values()],
        entry=entry,
        **take,
    )


def _standing(site: Site, old: lock.Lock) -> str:
    """In words: where a unit stands whose lock answers all that is asked."""
    beside = _untold(neighbours(site))
    if isinstance(beside, Outcome):
        return f"stale: {beside.diagnostics[0].message}"
    why = _rejudged(site, old, beside)
    if why:
        return f"stale: {why}"
    if clash(site, old.program):
        return "edited by hand"
    files = targets(old.program, site.settings.out)
    return "up to date" if all(_holds(path, data) for path, data in files.items()) else "not written"


def _untold(steps: Neighbours) -> Mapping[str, str] | Outcome:
    """What the steps return if they are told nothing."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Mapping[str, str] | Outcome = end.value
            return result


def _old(site: Site) -> lock.Lock:
    """The lock of a unit that has one."""
    assert site.old is not None, "a unit without a lock has a why"
    return site.old


def _rejudged(site: Site, old: lock.Lock, beside: Mapping[str, str]) -> str:
    """Why the program of the old lock must be judged again, '' if it need not. beside: the used programs."""
    return ", ".join(lock.changes(old.judged, lock.judged(site.spec, beside)))


def _not_locked(site: Site) -> Diagnostic:
    """Why --locked cannot build a unit that has a why."""
    name = lock.path_for(site.spec.path).name
    if site.old is None:
        return error("lock-missing", f"there is no {name} to build from", None, "build without --locked")
    help = "build without --locked and commit the lock"
    return error("lock-stale", f"{name} does not match: {site.why}", None, help)


def _kept(copy: Path) -> Diagnostic:
    """The note that a file was in the way, and where its copy is."""
    message = "a file that no build wrote was replaced; this is a copy of it"
    help = "take from it what you need, then delete it"
    return Diagnostic("note", "kept-copy", message, Span(os.path.relpath(copy)), help)


def _summary(made: lock.Lock, asks: int) -> str:
    """What this build cost, in requests and tokens, and what the program passed."""
    cost = count(asks, "request")
    if asks and made.output_tokens:
        cost += f", {made.input_tokens:,} tokens in, {made.output_tokens:,} out"
    passed = count(len(made.passed), "test")
    return f"{cost}; {passed} passed in {made.sandbox}" if made.passed else f"{cost}; no tests"
