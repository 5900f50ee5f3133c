"""The story of a build: what is looked at, what is asked, what is written and what is remembered.

In: a parsed requirement file (a Spec) and the settings of the command line.
Out: the events of a build and its Outcome, with the program and its lock on disk, both or neither;
or, asking and writing nothing, where a unit stands and what it would ask first.
"""

import os
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ai_coding import __version__, journal, lock
from ai_coding.backends.manual import pending
from ai_coding.diagnostic import Diagnostic, Span, count, error
from ai_coding.driver import drive
from ai_coding.emit import emit, targets
from ai_coding.ir import Event, Judge, Outcome, Program, Request, Settings, Spec, digest
from ai_coding.site import Site, alone, clash, neighbours, survey
from ai_coding.strategies.direct import direct

Events = Generator[Event, Mapping[str, str] | None, Outcome]


def compile(spec: Spec, settings: Settings) -> Events:
    "Builds one unit. `needs` may be sent path -> status."
    with alone(spec, settings) as key:
        site, problems = survey(spec, settings, key)
        if site is None:
            return Outcome("invalid", tuple(problems))
        return (yield from _build(site))


def status(spec: Spec, settings: Settings) -> str:
    "In words: where the unit stands."
    with alone(spec, settings) as key:
        site, problems = survey(spec, settings, key)
        if any(problem.code == "output-lost" for problem in problems):
            return "edited by hand"
        if site is None:
            return problems[0].message
        if any(waiting.spec == spec.path for waiting in pending(settings.journal)):
            return "waiting for a reply"
        return _standing(site)


def requests(spec: Spec, settings: Settings) -> list[Request]:
    "The first request that a build would send, if any."
    with alone(spec, settings) as key:
        site, _ = survey(spec, settings, key)
        if site is None or not site.why:
            return []
        first = next(direct(spec, *site.base))
        if isinstance(first, Judge):
            return []
        model = settings.model or spec.model
        return [Request(model, site.take, spec.parameters, first.messages)]


def _build(site: Site) -> Events:
    spec, settings, old = site.spec, site.settings, site.old
    beside: Mapping[str, str] | None = None
    if old is not None and not site.why:
        found = yield from neighbours(site)
        if isinstance(found, Outcome):
            return found
        beside = found
        site = replace(site, why=_rejudged(spec, old, found))
    if settings.locked and site.why:
        return Outcome("invalid", (_unusable(site),))
    yield Event("started", spec.path.name, {"why": site.why, "take": site.take})
    # A hand edit is refused before a reply is paid for; of the program only its entry is known yet.
    edited = [] if settings.force else clash(site, Program({spec.entry: ""}, spec.entry))
    if edited:
        return Outcome("invalid", tuple(edited))
    if old is not None and not site.why:
        return (yield from _write(site, old, (), 0))
    driven = yield from drive(site, beside)
    if isinstance(driven, Outcome):
        return driven
    return (yield from _write(site, *driven))


def _write(site: Site, made: lock.Lock, notes: tuple[Diagnostic, ...], asks: int) -> Events:
    """Write what is accepted. With a site.why, made is new and is written too."""
    spec, settings = site.spec, site.settings
    # Again, for a person may have edited while the model answered.
    clashes = clash(site, made.program)
    if clashes and not settings.force:
        return Outcome("invalid", tuple(clashes))
    files = targets(made.program, settings.out)
    wanted = dict(files)
    if site.why:
        wanted[lock.path_for(spec.path)] = lock.write(made, spec.committed).encode("utf-8")
    left = {path: data for path, data in wanted.items() if not _holds(path, data)}
    try:
        copies = emit(left, site.record, keep=files if clashes else ()) if left else []
    except OSError as problem:
        help = "mend that and build again: the answers are kept"
        return Outcome("failed", (error("emit-failed", f"cannot write: {problem}", None, help),))
    _remember(site, made.program, files)
    written = sorted(os.path.relpath(path) for path in left)
    yield Event("emitted", spec.path.name, {"files": written})
    ended = "built" if site.why else "locked" if left else "current"
    notes = (*notes, *(_kept(copy) for copy in copies))
    return Outcome(ended, notes, made.program, summary=_summary(made, asks))


def _remember(site: Site, program: Program, files: Mapping[Path, bytes]) -> None:
    kept: dict[str, Any] = {"open": False}
    if site.settings.locked and site.state.get("open"):
        # The lock was built from, but the question under the newer take still waits.
        kept = {name: site.state[name] for name in ("take", "open")}
    seen = [*site.spec.inputs, lock.path_for(site.spec.path), *files]
    site.remember(
        seen=journal.fingerprints(seen),
        version=__version__,
        outputs=[digest(data) for data in files.values()],
        entry=program.entry,
        **kept,
    )


def _standing(site: Site) -> str:
    """In words: where a unit stands that could be built and waits for no reply."""
    old = site.old
    if old is None:
        return "never built"
    if site.why:
        return f"stale: {site.why}"
    beside = _untold(site)
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


def _untold(site: Site) -> Mapping[str, str] | Outcome:
    """What neighbours returns if nobody tells it how their builds ended."""
    steps = neighbours(site)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            found: Mapping[str, str] | Outcome = done.value
            return found


def _rejudged(spec: Spec, old: lock.Lock, beside: Mapping[str, str]) -> str:
    """Why the program of old is to be judged again, "" if it is not. beside: path -> text."""
    return ", ".join(lock.changes(old.judged, lock.judged(spec, beside)))


def _unusable(site: Site) -> Diagnostic:
    """Why --locked cannot build from the lock."""
    name = lock.path_for(site.spec.path).name
    if site.old is None:
        message = f"there is no {name} to build from"
        return error("lock-missing", message, None, "build without --locked")
    help = "build without --locked and commit the lock"
    return error("lock-stale", f"{name} does not match: {site.why}", None, help)


def _kept(copy: Path) -> Diagnostic:
    message = "the file that no build wrote was replaced; this is a copy of it"
    return Diagnostic("note", "kept-copy", message, Span(os.path.relpath(copy)))


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def _summary(made: lock.Lock, asks: int) -> str:
    asked = count(asks, "request")
    if asks and made.output_tokens:
        asked += f", {made.input_tokens:,} tokens in, {made.output_tokens:,} out"
    if not made.passed:
        return f"{asked}; no tests"
    tests = count(len(made.passed), "test")
    return f"{asked}; {tests} passed in {made.sandbox}"
