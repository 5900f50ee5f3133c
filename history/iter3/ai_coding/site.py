"""Where a build stands, and why it has to run.

A unit is one requirement file built into one output folder. Its lock, the files in the output and
what this machine remembers of it tell which take is asked for, how what is asked differs from what
was accepted, and which files are its own.

In: a parsed requirement file, the settings, the unit's lock and output, its journal entry, and how
the builds of what it needs have ended.
Out: the site that a build starts from, the texts of needed programs, and Diagnostics of all that
stands in the way.
"""

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

_UNITS = "units"
_LOST = "output-lost"
_RESTORE = "restore it from version control, or ask again with --anew --force"


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
        """The commit point of this unit's emit."""
        return _record(self.settings, self.key)

    @property
    def base(self) -> tuple[Program | None, str]:
        """The program to start from and what changed since; (None, "") to start from scratch."""
        if self.old is None or self.take != self.old.take:
            return None, ""
        return self.old.program, prompt.difference(self.old.asked, self.asked)

    def remember(self, **values: object) -> None:
        """Record the state, over it `take`, over it values; all else in it stays."""
        state = {**self.state, "take": self.take, **values}
        journal.put(self.settings.journal, _UNITS, self.key, state)


@contextmanager
def alone(spec: Spec, settings: Settings) -> Generator[str, None, None]:
    """A contextlib.contextmanager that gives the key."""
    from filelock import FileLock

    key = journal.unit(spec.path, settings.out)
    locks = settings.journal / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    # Workers take turns: the thread that ends a build need not be the one that began it.
    with FileLock(locks / key, thread_local=False):
        yield key


def survey(spec: Spec, settings: Settings, key: str) -> tuple[Site | None, list[Diagnostic]]:
    """None and why it cannot start."""
    emit.recover(_record(settings, key))
    state: Mapping[str, Any] = journal.get(settings.journal, _UNITS, key) or {}
    old = accepted(spec.path, settings.out)
    if isinstance(old, Diagnostic):
        if old.code != _LOST or not (settings.anew or settings.force):
            return None, [old]
        old = None
    held = old.take if old else 0
    highest = max(state.get("highest", 0), state.get("take", 0), held)
    take = _take(settings, old, state, highest)
    asked = lock.asked(spec)
    if old is None:
        why = "never built"
    elif take != old.take:
        why = f"asked anew, take {take}"
    else:
        why = ", ".join(lock.changes(old.asked, asked))
    return Site(spec, settings, key, old, {**state, "highest": highest}, take, asked, why), []


def accepted(spec_path: Path, out: Path) -> Lock | Diagnostic | None:
    """The lock with its program's text; None: never built."""
    found = lock.read(lock.path_for(spec_path))
    if not isinstance(found, Lock) or not found.digests:
        return found
    texts: dict[str, str] = {}
    for path, known in found.digests.items():
        text = _text(out / path, known)
        if text is None:
            what = "is missing, and its lock holds no text"
            if os.path.lexists(out / path):
                what = "is not what its lock says"
            return error(_LOST, f"{path} {what}", Span(path), _RESTORE)
        texts[path] = text
    return replace(found, program=Program(texts, found.program.entry))


def neighbours(site: Site) -> Neighbours:
    """The programs that this one needs, path -> text, once their builds have ended."""
    needs = site.spec.needs
    if not needs:
        return {}
    event = Event("needs", site.spec.path.name, {"units": [str(need) for need in needs]})
    statuses: Mapping[str, str] = (yield event) or {}
    if any(statuses.get(str(need)) == "waiting" for need in needs):
        return Outcome("waiting")
    texts: dict[str, str] = {}
    problems: list[Diagnostic] = []
    for need in needs:
        ended_well = statuses.get(str(need), "built") in ("built", "locked", "current")
        # The old lock of a unit that failed does not count: what it says may be about to change.
        found = accepted(need, site.settings.out) if ended_well else None
        if isinstance(found, Lock):
            texts.update(found.program.files)
        else:
            problems.append(found or not_built(need))
    return Outcome("invalid", tuple(problems)) if problems else texts


def not_built(need: Path) -> Diagnostic:
    """`not-built`: a unit that is needed has no accepted program."""
    return error("not-built", f"{need.name} is needed and is not built", None, "build it first")


def clash(site: Site, program: Program) -> list[Diagnostic]:
    """Files in program's way that no build of this unit wrote."""
    out = site.settings.out
    ours: set[str] = set(site.state.get("outputs", ()))
    if site.old is not None:
        # What an older lock or another machine's build wrote is no hand edit.
        ours.update(digest(text.encode("utf-8")) for text in site.old.program.files.values())
    return emit.conflicts(emit.targets(program, out), out, ours)


def _record(settings: Settings, key: str) -> Path:
    return settings.journal / "commits" / key


def _take(settings: Settings, old: Lock | None, state: Mapping[str, Any], highest: int) -> int:
    """The number of the answer that this build asks for. highest: the highest take ever."""
    last: int = state.get("take", 0)
    held = old.take if old else 0
    # A take that waits or was killed goes on, so that no answer to it is lost.
    if state.get("open") and last > held and not settings.locked:
        return last
    # One that failed has its answers recorded and would only give them again.
    if settings.anew and (old or state):
        return highest + 1
    return old.take if old else last or 1


def _text(file: Path, known: str) -> str | None:
    """What file holds; None if it is no file, a link, or not UTF-8 text of the digest known."""
    try:
        if file.is_symlink() or not file.is_file():
            return None
        data = file.read_bytes()
        return data.decode("utf-8") if digest(data) == known else None
    except (OSError, UnicodeDecodeError):
        return None
