"""Where a build stands, and why it has to run.

In: a Spec and Settings. Out: a Site, decided from the lock, the files and what this machine remembers of the unit.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from ai_coding import emit, journal, lock, prompt
from ai_coding.diagnostic import Diagnostic, error
from ai_coding.ir import Program, Settings, Spec, digest
from ai_coding.lock import Lock


@dataclass(frozen=True)
class Site:
    """Where a build stands: its unit, the lock it starts from, what this machine remembers of it, and why it runs.

    state: take, open (a build of that take has not ended), outputs (digests of what was emitted), seen.
    why: '' where the lock answers for the spec. beside: the programs of used units.
    """

    spec: Spec
    settings: Settings
    key: str
    old: Lock | None
    state: Mapping[str, Any]
    take: int
    asked: Mapping[str, str]
    judged: Mapping[str, str]
    beside: Mapping[str, str]
    why: str

    @property
    def record(self) -> Path:
        return self.settings.journal / "commits" / self.key

    @property
    def base(self) -> tuple[Program | None, str]:
        """The program to start from, and what changed since it was accepted; nothing if asked anew."""
        if not self.old or self.take != self.old.take:
            return None, ""
        return self.old.program, prompt.difference(self.old.asked, self.asked)

    def remember(self, **values: object) -> None:
        """Keep values for the next build of this unit on this machine."""
        journal.put(self.settings.journal, "units", self.key, {**self.state, "take": self.take, **values})


@contextmanager
def alone(spec: Spec, settings: Settings) -> Generator[str, None, None]:
    """One build of a unit at a time. Gives the unit's key."""
    key = journal.unit(spec.path, settings.out)
    folder = settings.journal / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / key):
        yield key


def survey(spec: Spec, settings: Settings, key: str) -> tuple[Site | None, list[Diagnostic]]:
    """Find out where a build stands and why it has to run; diagnostics if it cannot."""
    emit.recover(settings.journal / "commits" / key)
    old, found = lock.read(lock.path_for(spec.path)), list[Diagnostic]()
    if isinstance(old, Diagnostic):
        return None, [old]
    beside: dict[str, str] = {}
    for use in spec.uses:
        used = lock.read(lock.path_for(use.path))
        if isinstance(used, Lock):
            beside |= used.program.files
        else:
            found.append(used or error("not-built", f"{use.name} is used but was never built", None, "build it first"))
    state = journal.get(settings.journal, "units", key) or {}
    known = old.take if old else 0
    take, renewing = (
        max(state.get("take", 1), known),
        not settings.locked and state.get("open", False) and state.get("take", 1) > known,
    )
    if settings.anew and not renewing and (old or state):
        take, renewing = take + 1, True
    asked, judged = lock.asked(spec), lock.judged(spec, beside)
    if not old:
        why = "never built"
    elif renewing:
        why = f"asked anew, take {take}"
    else:
        why = ", ".join(lock.changes(old.asked, asked) + lock.changes(old.judged, judged))
    return Site(spec, settings, key, old, state, take, asked, judged, beside, why) if not found else None, found


def clash(site: Site, program: Program) -> list[Diagnostic]:
    """What stands in the way of writing program: files that this unit's builds did not write."""
    ours = set(site.state.get("outputs", ()))
    if site.old:
        ours |= {digest(text.encode()) for text in site.old.program.files.values()}
    return emit.conflicts(emit.targets(program, site.settings.out), site.settings.out, ours)
