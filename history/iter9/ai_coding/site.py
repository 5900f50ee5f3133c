"""Where a build stands, and why it has to run: found from its lock, its files and its state.

In: a parsed requirement file, the settings of the build, and how the builds of the units that it
needs have ended.
Out: a Site, which says what take is asked, why, and from which program the build starts; the
needed programs; and Diagnostics of all that keeps the build from starting or from being emitted.
"""

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


@dataclass(frozen=True)
class Site:
    """Where the build of one unit stands.

    key: the unit's, in the journal. old: the lock that was found. state: what this machine
    remembered of the unit, and in it `highest`, the highest take ever. take: the number of the
    answer that is asked for. asked: what a model is told now. why: the reason to build, "" if the
    lock answers what is asked.
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
        """The commit point of this unit's emit: JOURNAL/commits/KEY."""
        return _record(self.settings, self.key)

    @property
    def base(self) -> tuple[Program | None, str]:
        """The program to start from and what changed since; (None, "") to start from scratch.

        Without a lock it is the spec's source, if there is one, and all requirements are changes.
        """
        if self.old is None and self.spec.source:
            entry = self.spec.entry
            # Told as changes, because the source is to be changed even if it passes.
            told = {key: text for key, text in self.asked.items() if key.startswith("requirements")}
            return Program({entry: self.spec.source}, entry), prompt.difference({}, told)
        if self.old is None or self.take != self.old.take:
            return None, ""
        return self.old.program, prompt.difference(self.old.asked, self.asked)

    def remember(self, **values: object) -> None:
        """Record the state, over it `take`, over it values; all else in it stays.

        Raises OSError if the journal cannot be written.
        """
        # Read again, because self.state lacks what an earlier call recorded. Only `highest` is
        # newer here: survey has counted the lock's take and the recorded one, replaced below.
        state = {**self.state, **_recall(self.settings, self.key)}
        state |= {"highest": self.state.get("highest", 0), "take": self.take, **values}
        journal.put(self.settings.journal, "units", self.key, state)


@contextmanager
def alone(spec: Spec, settings: Settings) -> Generator[str, None, None]:
    """A contextlib.contextmanager that gives the key.

    Waits without limit while another build of the unit runs; may be left in another thread.
    Raises OSError if the journal cannot be written.
    """
    from filelock import FileLock

    key = journal.unit(spec.path, settings.out)
    folder = settings.journal / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(str(folder / key), thread_local=False):
        yield key


def survey(
    spec: Spec, settings: Settings, key: str
) -> tuple[Site | None, list[Diagnostic]]:
    """None and why it cannot start.

    Else the Site and no Diagnostics. To be called inside `alone`, whose key it takes. Raises
    OSError if what a killed build had committed cannot be put in place.
    """
    emit.recover(_record(settings, key))
    state = _recall(settings, key)
    found = accepted(spec.path, settings.out)
    if isinstance(found, Diagnostic):
        if found.code != "output-lost" or not (settings.anew or settings.force):
            return None, [found]
        found = None
    state["highest"] = max(
        state.get("highest", 0), state.get("take", 0), found.take if found else 0
    )
    take = _take(settings, found, state)
    asked = lock.asked(spec)
    why = _why(found, take, asked)
    return Site(spec, settings, key, found, state, take, asked, why), []


def accepted(spec_path: Path, out: Path) -> Lock | Diagnostic | None:
    """The lock with its program's text; None: never built.

    A Diagnostic if the lock is damaged, or if it holds no text and a file in out is not as
    accepted, CRLF in place of LF apart. Raises nothing.
    """
    found = lock.read(lock.path_for(spec_path))
    if not isinstance(found, Lock):
        return found
    texts = dict(found.program.files)
    for path, wanted in found.digests.items():
        file = out / path
        try:
            text = None if file.is_symlink() else file.read_bytes().decode("utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return _lost(path, "is missing, and its lock holds no text")
        except (OSError, UnicodeDecodeError):
            text = None  # a folder, say: something is there, but no text that was ever accepted
        if text is not None and digest(text.encode("utf-8")) != wanted:
            text = text.replace("\r\n", "\n")  # version control may have changed the line ends
        if text is None or digest(text.encode("utf-8")) != wanted:
            return _lost(path, "is not what its lock says")
        texts[path] = text
    return replace(found, program=replace(found.program, files=texts))


def neighbours(site: Site) -> Neighbours:
    """The programs that this one needs, path -> text, once their builds have ended.

    An Outcome if one of them is not to be had: waiting, else the status of the first need that
    failed, else invalid. Raises nothing.
    """
    needs = site.spec.needs
    if not needs:
        return {}
    units = [str(need) for need in needs]
    sent = (yield Event("needs", site.spec.path.name, {"units": units})) or {}
    status = {need: sent.get(str(need), "built") for need in needs}
    if "waiting" in status.values():
        return Outcome("waiting")
    failed = [how for how in status.values() if how not in ("built", "locked", "current")]
    files: dict[str, str] = {}
    faults: list[Diagnostic] = []
    for need in needs:
        # The old lock of a failed unit does not count: what it says may be about to change.
        found = None if status[need] in failed else accepted(need, site.settings.out)
        if isinstance(found, Lock):
            files.update(found.program.files)
        else:
            faults.append(found or not_built(need))
    if faults:
        # The status of the first that failed, so that the exit code tells the cause.
        return Outcome(failed[0] if failed else "invalid", tuple(faults))
    return files


def not_built(need: Path) -> Diagnostic:
    """`not-built`: a unit that is needed has no accepted program."""
    message = f"{need.name} is needed and is not built"
    return error("not-built", message, None, "build it first")


def clash(site: Site, program: Program) -> list[Diagnostic]:
    """Files in program's way that no build of this unit wrote."""
    ours = set[str](site.state.get("outputs", ()))
    if site.old is not None:
        # An older lock's or another machine's build wrote these: no hand edit.
        ours |= {digest(text.encode("utf-8")) for text in site.old.program.files.values()}
    out = site.settings.out
    return emit.conflicts(emit.targets(program, out), out, ours)


def _record(settings: Settings, key: str) -> Path:
    return settings.journal / "commits" / key


def _recall(settings: Settings, key: str) -> dict[str, Any]:
    return dict(journal.get(settings.journal, "units", key) or {})


def _take(settings: Settings, old: Lock | None, state: Mapping[str, Any]) -> int:
    locked = old.take if old else 0
    begun: int = state.get("take", 0)
    if state.get("open") and begun > locked and not settings.locked:
        return begun  # goes on, so that no answer to it is lost
    if settings.anew:
        # Not merely one more than the lock's: a take that failed would give its answers again.
        # Without a lock and a state the highest is 0, and the first take is the new one.
        highest: int = state["highest"]
        return highest + 1
    return locked or begun or 1


def _why(old: Lock | None, take: int, asked: Mapping[str, str]) -> str:
    if old is None:
        return "never built"
    if take != old.take:
        return f"asked anew, take {take}"
    return ", ".join(lock.changes(old.asked, asked))


def _lost(path: str, what: str) -> Diagnostic:
    way_out = "restore it from version control, or ask again with --anew --force"
    return error("output-lost", f"{path} {what}", Span(path), way_out)
