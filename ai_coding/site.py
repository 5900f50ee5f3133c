"""Where a build stands, and why it has to run.

In: a Spec and Settings. Out: a Site, decided from the lock, the files and what this machine remembers of the unit.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from ai_coding import emit, journal, lock, prompt
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Event, Outcome, Program, Settings, Spec, digest
from ai_coding.lock import Lock

Neighbours = Generator[Event, Mapping[str, str] | None, Mapping[str, str] | Outcome]


@dataclass(frozen=True)
class Site:
    """Where a build stands: its unit, the lock it starts from, what this machine remembers of it, and why it runs.

    state: take, open (a build of that take has not ended), highest (take before), outputs (digests of what was
    emitted), seen.
    why: '' where the lock answers what is asked; whether its program is still judged well depends on the neighbours.
    """

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
    with FileLock(folder / key, thread_local=False):
        yield key


def survey(spec: Spec, settings: Settings, key: str) -> tuple[Site | None, list[Diagnostic]]:
    """Find out where a build stands; diagnostics if it cannot start."""
    emit.recover(settings.journal / "commits" / key)
    state = journal.get(settings.journal, "units", key) or {}
    old = accepted(spec.path, settings.out)
    if isinstance(old, Diagnostic) and not (old.code == "output-lost" and (settings.anew or settings.force)):
        return None, [old]
    found = None if isinstance(old, Diagnostic) else old
    known = found.take if found else 0
    last = state.get("take", 1)
    highest = max(state.get("highest", 1), last, known)
    renewing = not settings.locked and state.get("open", False) and last > known
    take = last if renewing else known or last  # an `--anew` that came to nothing, or was taken back, counts no more
    if settings.anew and not renewing and (found or state):
        take, renewing = highest + 1, True
    state = {**state, "highest": highest}
    asked = lock.asked(spec)
    if not found:
        why = "never built"
    elif renewing:
        why = f"asked anew, take {take}"
    else:
        why = ", ".join(lock.changes(found.asked, asked))
    return Site(spec, settings, key, found, state, take, asked, why), []


def accepted(spec_path: Path, out: Path) -> Lock | Diagnostic | None:
    """The lock of a unit with the text of its program, which may stand in out alone; None if it was never built."""
    found = lock.read(lock.path_for(spec_path))
    if not isinstance(found, Lock) or not found.digests:
        return found
    files = {}
    for path, wanted in found.digests.items():
        target = out / path
        data = target.read_bytes() if target.is_file() and not target.is_symlink() else b""
        if digest(data) != wanted:
            what = "is not what its lock says" if target.exists() else "is missing, and its lock holds no text"
            help = "restore it from version control, or ask again with --anew --force"
            return error("output-lost", f"{path} {what}", Span(path), help)
        files[path] = data.decode()
    return replace(found, program=Program(files, found.program.entry))


def neighbours(site: Site) -> Neighbours:
    """The programs of all units that this one needs, path -> text, once their builds have ended."""
    spec = site.spec
    ended = (yield Event("needs", spec.path.name, {"units": [str(need) for need in spec.needs]})) if spec.needs else {}
    files: dict[str, str] = {}
    missing = list[Diagnostic]()
    for need in spec.needs:
        how = (ended or {}).get(str(need), "built")
        used = accepted(need, site.settings.out) if how in ("built", "locked", "current") else None
        if isinstance(used, Lock):
            files |= used.program.files
        elif how == "waiting":
            return Outcome("waiting")
        else:
            missing.append(used or not_built(need))
    return Outcome("invalid", tuple(missing)) if missing else files


def not_built(need: Path) -> Diagnostic:
    """A unit that is needed has no accepted program."""
    return error("not-built", f"{need.name} is needed and is not built", None, "build it first")


def clash(site: Site, program: Program) -> list[Diagnostic]:
    """What stands in the way of writing program: files that this unit's builds did not write."""
    ours = set(site.state.get("outputs", ()))
    if site.old:
        ours |= {digest(text.encode()) for text in site.old.program.files.values()}
    return emit.conflicts(emit.targets(program, site.settings.out), site.settings.out, ours)
