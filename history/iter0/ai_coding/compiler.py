"""The story of a build.

In: a Spec and Settings. Out: a stream of Events, and at its end an Outcome; files and a lock if the program passed.
"""

import os
from collections.abc import Generator, Mapping
from dataclasses import replace

from ai_coding import __version__, emit, journal, lock
from ai_coding.backends import manual
from ai_coding.diagnostic import Diagnostic, Span, count, error
from ai_coding.driver import drive
from ai_coding.ir import Ask, Event, Outcome, Program, Request, Settings, Spec, digest
from ai_coding.lock import Lock
from ai_coding.site import Site, alone, clash, neighbours, survey
from ai_coding.strategies.direct import direct

Events = Generator[Event, Mapping[str, str] | None, Outcome]


def compile(spec: Spec, settings: Settings) -> Events:
    """Build one unit: nothing to do, from the lock, or by asking; written only when it passed.

    The event `needs` may be answered by how the builds of these units ended (path -> status).
    """
    with alone(spec, settings) as key:
        site, found = survey(spec, settings, key)
        if not site:
            return Outcome("invalid", tuple(found))
        beside: Mapping[str, str] | None = None
        why = site.why
        if not why and site.old:
            used = yield from neighbours(site)
            if isinstance(used, Outcome):
                return used
            beside = used
            why = ", ".join(lock.changes(site.old.judged, lock.judged(spec, beside)))
        if settings.locked and why:
            return Outcome("invalid", (_not_locked(site, why),))
        yield Event("started", spec.path.name, {"why": why, "take": site.take})
        if found := [] if settings.force else clash(site, Program({spec.entry: ""}, spec.entry)):
            return Outcome("invalid", tuple(found))
        if not why and site.old:
            return (yield from _write(site, site.old, (), 0))
        ended = yield from drive(replace(site, why=why), beside)
        if isinstance(ended, Outcome):
            return ended
        return (yield from _write(site, *ended))


def _write(site: Site, accepted: Lock, notes: tuple[Diagnostic, ...], asks: int) -> Events:
    """Put the accepted program and its lock in place, all or nothing, and remember what was seen."""
    spec, out = site.spec, site.settings.out
    files = emit.targets(accepted.program, out)
    lock_path = lock.path_for(spec.path)
    clashing = clash(site, accepted.program)
    if clashing and not site.settings.force:
        return Outcome("invalid", tuple(clashing))
    new = accepted is not site.old
    wanted = files | {lock_path: lock.write(accepted, spec.committed).encode()} if new else files
    changed = {path: data for path, data in wanted.items() if not path.is_file() or path.read_bytes() != data}
    try:
        kept = emit.emit(changed, site.record, keep=files if clashing else ()) if changed else []
    except OSError as e:
        help = "free space or change the folder's permissions, then build again: no answer is lost"
        return Outcome("failed", (error("emit-failed", f"cannot write: {e}", None, help),))
    seen = journal.fingerprints([*spec.inputs, lock_path, *files])
    outputs = [digest(data) for data in files.values()]
    waits = site.settings.locked and site.state.get("open", False)  # a take that --locked passed over goes on later
    ended = {"take": site.state["take"]} if waits else {"open": False}
    site.remember(**ended, seen=seen, version=__version__, outputs=outputs, entry=spec.entry)
    yield Event("emitted", spec.path.name, {"files": sorted(os.path.relpath(path) for path in changed)})
    notes += tuple(Diagnostic("note", "kept-copy", "a copy was kept", Span(os.path.relpath(path))) for path in kept)
    status = "built" if new else "locked" if changed else "current"
    return Outcome(status, notes, accepted.program, (), _summary(accepted, asks))


def _not_locked(site: Site, why: str) -> Diagnostic:
    name = lock.path_for(site.spec.path).name
    if not site.old:
        return error("lock-missing", f"there is no {name} to build from", None, "build without --locked")
    return error("lock-stale", f"{name} does not match: {why}", None, "build without --locked and commit the lock")


def _summary(accepted: Lock, asks: int) -> str:
    requests, tests = count(asks, "request"), count(len(accepted.passed), "test")
    tokens = f", {accepted.input_tokens:,} tokens in, {accepted.output_tokens:,} out" if accepted.output_tokens else ""
    tests = f"{tests} passed in {accepted.sandbox}" if accepted.passed else "no tests"
    return f"{requests}{tokens if asks else ''}; {tests}"


def status(spec: Spec, settings: Settings) -> str:
    """In words: up to date, stale (why), edited by hand, not written, never built or waiting."""
    with alone(spec, settings) as key:
        site, found = survey(spec, settings, key)
        if not site:
            return "edited by hand" if found[0].code == "output-lost" else found[0].message
        if any(w.spec == spec.path for w in manual.pending(settings.journal)):
            return "waiting for a reply"
        if not site.old or site.why:
            return f"stale: {site.why}" if site.old else site.why
        try:
            next(steps := neighbours(site))
            next(steps)
        except StopIteration as done:
            beside = done.value
        if isinstance(beside, Outcome):
            return f"stale: {beside.diagnostics[0].message}"
        if why := ", ".join(lock.changes(site.old.judged, lock.judged(spec, beside))):
            return f"stale: {why}"
        if clash(site, site.old.program):
            return "edited by hand"
        files = emit.targets(site.old.program, settings.out)
        return "up to date" if all(p.is_file() and p.read_bytes() == d for p, d in files.items()) else "not written"


def requests(spec: Spec, settings: Settings) -> list[Request]:
    """The first request that a build would send; none where the lock answers."""
    with alone(spec, settings) as key:
        site, _ = survey(spec, settings, key)
    if not site or not site.why:
        return []
    need = next(direct(spec, *site.base))
    messages = need.messages if isinstance(need, Ask) else ()
    return [Request(settings.model, site.take, spec.parameters, messages)] if messages else []
