"""Where a build stands, and why it has to run.

In: a unit's spec and settings, its lock, its outputs, and what this machine remembers of it in the journal.
Out: a Site (which take is asked for, why, and from which program to start) or the Diagnostics that forbid a start;
the programs that the unit needs; the files that are in a new program's way.
"""

import math
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ai_coding import emit, journal, lock, prompt
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Event, Outcome, Program, Settings, Spec, digest
from ai_coding.lock import Lock

Neighbours = Generator[Event, Mapping[str, str] | None, Mapping[str, str] | Outcome]

_LOST = "output-lost"
_ACCEPTED = ("built", "locked", "current")


@dataclass(frozen=True)
class Site:
    """Where the build of one unit stands. why: "" if the lock answers what is asked."""

    spec: Spec
    settings: Settings
    key: str
    old: Lock | None
    state: Mapping[str, Any]
    take: int
    asked: Mapping[str, str]
    why: str

    @property
    def record(self) -> Path:
        """JOURNAL/commits/KEY, the commit point of its emit."""
        return _record(self.settings, self.key)

    @property
    def base(self) -> tuple[Program | None, str]:
        """The program to start from and what has changed since; (None, "") if it is made from scratch."""
        if self.old is None or self.take != self.old.take:
            return None, ""
        return self.old.program, prompt.difference(self.old.asked, self.asked)

    def remember(self, **values: object) -> None:
        """Record the state, over it `take`, over it values; all else in it stays.

        Raises OSError if the journal cannot be written.
        """
        # What an earlier call has stored stays too, but only the survey has counted the lock's take into `highest`.
        stored = {name: value for name, value in _stored(self.settings, self.key).items() if name != "highest"}
        state = {**self.state, **stored, "take": self.take, **values}
        journal.put(self.settings.journal, "units", self.key, state)


@contextmanager
def alone(spec: Spec, settings: Settings) -> Generator[str, None, None]:
    """A contextlib.contextmanager that gives the key.

    Waits for as long as another build of the unit runs. Raises OSError if the journal cannot be written.
    """
    from filelock import FileLock

    key = journal.unit(spec.path, settings.out)
    folder = settings.journal / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    # Not the default of -1: filelock may then report a deadlock in a thread whose last lock was left in another one.
    with FileLock(folder / key, timeout=math.inf, thread_local=False):
        yield key


def survey(spec: Spec, settings: Settings, key: str) -> tuple[Site | None, list[Diagnostic]]:
    """None and why it cannot start.

    Else the Site and no Diagnostics. To be called while `alone` holds key. Raises OSError if what a killed build had
    committed cannot be put in place.
    """
    emit.recover(_record(settings, key))
    found = _stored(settings, key)
    old = accepted(spec.path, settings.out)
    if isinstance(old, Diagnostic):
        if old.code != _LOST or not (settings.anew or settings.force):
            return None, [old]
        old = None
    highest = max(found.get("highest", 0), found.get("take", 0), old.take if old is not None else 0)
    take = _take(settings, old, found, highest)
    asked = lock.asked(spec)
    return Site(spec, settings, key, old, {**found, "highest": highest}, take, asked, _why(old, take, asked)), []


def accepted(spec_path: Path, out: Path) -> Lock | Diagnostic | None:
    """The lock with its program's text; None: never built.

    A Diagnostic if the lock is damaged, or if a file in out that stands for its text is lost.
    """
    found = lock.read(lock.path_for(spec_path))
    if not isinstance(found, Lock) or not found.digests:
        return found
    files = dict(found.program.files)
    for path, expected in found.digests.items():
        text = _intact(out / path, expected)
        if text is None:
            return _lost(path, out)
        files[path] = text
    return replace(found, program=Program(files, found.program.entry))


def neighbours(site: Site) -> Neighbours:
    """The programs that this one needs, path -> text, once their builds have ended.

    Yields one event `needs`, if anything is needed, and is sent path -> status, or None. An Outcome if a needed
    program is not there.
    """
    needs = site.spec.needs
    if not needs:
        return {}
    statuses = (yield Event("needs", site.spec.path.name, {"units": [str(need) for need in needs]})) or {}
    ends = {need: statuses.get(str(need), "built") for need in needs}
    if "waiting" in ends.values():
        return Outcome("waiting")
    files: dict[str, str] = {}
    faults: list[Diagnostic] = []
    for need, status in ends.items():
        program = _needed(need, status, site.settings.out)
        if isinstance(program, Diagnostic):
            faults.append(program)
        else:
            files.update(program.files)
    if faults:
        return Outcome("invalid", tuple(faults))
    return files


def not_built(need: Path) -> Diagnostic:
    """`not-built`: a unit that is needed has no accepted program."""
    return error("not-built", f"{need.name} is needed and is not built", None, "build it first")


def clash(site: Site, program: Program) -> list[Diagnostic]:
    """Files in program's way that no build of this unit wrote."""
    ours: set[str] = set(site.state.get("outputs", ()))
    if site.old is not None:
        ours.update(digest(text.encode("utf-8")) for text in site.old.program.files.values())
    out = site.settings.out
    return emit.conflicts(emit.targets(program, out), out, ours)


def _record(settings: Settings, key: str) -> Path:
    """Where an emit of the unit is committed."""
    return settings.journal / "commits" / key


def _stored(settings: Settings, key: str) -> dict[str, Any]:
    """What this machine remembers of the unit now."""
    found = journal.get(settings.journal, "units", key)
    return found if isinstance(found, dict) else {}


def _take(settings: Settings, old: Lock | None, state: Mapping[str, Any], highest: int) -> int:
    """Which answer to the same question this build asks for."""
    begun: int = state.get("take", 0)
    # One that waits or was killed goes on even with --anew, or the answers to it would be lost.
    if state.get("open") and begun > (old.take if old is not None else 0) and not settings.locked:
        return begun
    if settings.anew and (old is not None or state):
        return highest + 1
    return old.take if old is not None else begun or 1


def _why(old: Lock | None, take: int, asked: Mapping[str, str]) -> str:
    """Why the build has to run; "" if the lock answers what is asked."""
    if old is None:
        return "never built"
    if take != old.take:
        return f"asked anew, take {take}"
    return ", ".join(lock.changes(old.asked, asked))


def _intact(file: Path, expected: str) -> str | None:
    """The text of file; None if it is a link, cannot be read or has another digest than expected."""
    try:
        # Whatever is no plain file is not opened at all: reading a pipe would never end.
        if file.is_symlink() or not file.is_file():
            return None
        data = file.read_bytes()
        return data.decode("utf-8") if digest(data) == expected else None
    except (OSError, UnicodeDecodeError):
        return None


def _lost(path: str, out: Path) -> Diagnostic:
    """`output-lost`: the file at path in out, the only place of its text, is not what was accepted."""
    there = os.path.lexists(out / path)
    what = "is not what its lock says" if there else "is missing, and its lock holds no text"
    help_text = "restore it from version control, or ask again with --anew --force"
    return error(_LOST, f"{path} {what}", Span(path), help_text)


def _needed(need: Path, status: str, out: Path) -> Program | Diagnostic:
    """The accepted program of a unit whose build ended with status."""
    # The lock of a unit that failed is of before: what it says may be about to change.
    found = accepted(need, out) if status in _ACCEPTED else None
    if found is None:
        return not_built(need)
    return found if isinstance(found, Diagnostic) else found.program
