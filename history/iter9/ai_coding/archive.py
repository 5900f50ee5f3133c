"""Archives a generation in history/iterN and puts it in place; a kill at any point does no harm.

The archive is made in the work folder, then a mark with its number is written, then one rename
brings it to history/: that rename decides. What the mark names is put in place by steps that can
all be done twice, and the mark goes last.

In: the workspace's root, the folder of a package that a rebuild has proven, its units, and notes.
Out: the folder history/iterN; then ai_coding/, setup.py and the locks in self/ as that has them.
"""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from ai_coding import emit, generation, journal, transcript
from ai_coding.transcript import Question, Unit

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def write(root: Path, built: Path, units: Sequence[Unit], notes: str) -> int:
    """Archive the package in the folder built as the next generation, and decide that it be
    promoted; its number. OSError.

    units: all units of the workspace, as stage 1 has built them. notes: what changed and why.
    """
    previous = max(generation.iterations(root), default=None)
    number = 0 if previous is None else previous + 1
    work = root / generation.WORK
    archive = work / "archive"
    _remove(archive)
    _copy_package(built, archive, number)
    _write_transcripts(archive, units, number, previous)
    text = f"# Iteration {number}\n\n{notes.strip() or 'No notes.'}\n"
    (archive / "NOTES.md").write_bytes(text.encode("utf-8", "replace"))
    (archive / "report.json").write_bytes(_report(archive, built, units, number))
    _sync_all(archive)
    home = root / generation.home(number)
    home.parent.mkdir(exist_ok=True)
    # The mark comes first: the next run would take an archive without one for the generation
    # that the tree stands at.
    journal.write(work / "promoting", f"{number}\n".encode("ascii"))
    archive.rename(home)
    for folder in (root, work, home.parent):
        journal.sync(folder)
    return number


def promote(root: Path) -> None:
    """Put the generation in place that a mark names, if there is one. OSError; ValueError if the
    mark holds no number.
    """
    work = root / generation.WORK
    mark = work / "promoting"
    if not mark.is_file():
        return
    archive = root / generation.home(int(mark.read_bytes()))
    if archive.is_dir():
        _place_package(root, archive)
        _place_files(root, archive)
        _remove(work / "fresh")
        _remove(work / "old")
    mark.unlink()
    journal.sync(work)


def _copy_package(built: Path, archive: Path, number: int) -> None:
    for name in ("ai_coding", "self"):
        ignored = shutil.ignore_patterns("README.md", "__pycache__")
        shutil.copytree(built / name, archive / name, ignore=ignored)
    if (built / "setup.py").exists():
        shutil.copy2(built / "setup.py", archive / "setup.py")
    (archive / "ai_coding" / "iteration.txt").write_bytes(f"{number}\n".encode("ascii"))


def _write_transcripts(
    archive: Path, units: Sequence[Unit], number: int, previous: int | None
) -> None:
    for unit in units:
        if any(isinstance(step, Question) for step in unit.steps):
            name = Path(generation.transcript(number, unit.spec))
            path = archive / name.relative_to(generation.home(number))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(transcript.write(unit, previous))


def _report(archive: Path, built: Path, units: Sequence[Unit], number: int) -> bytes:
    report = {
        "iteration": number,
        "units": {unit.spec.entry: _row(unit) for unit in units},
        "lines": generation.counts(built, [unit.spec for unit in units]),
        "files": generation.manifest(archive),
    }
    return (json.dumps(report, indent=1) + "\n").encode("ascii")


def _row(unit: Unit) -> dict[str, object]:
    replies = [step.reply for step in unit.steps if isinstance(step, Question)]
    return {
        "requests": len(replies),
        "passed_at_first_attempt": len(replies) == 1 if replies else None,
        "model": unit.lock.model,
        "input_tokens": sum(reply.get("input_tokens") or 0 for reply in replies),
        "output_tokens": sum(reply.get("output_tokens") or 0 for reply in replies),
        "tests": list(unit.lock.passed),
    }


def _place_package(root: Path, archive: Path) -> None:
    package = root / "ai_coding"
    fresh = root / generation.WORK / "fresh"
    old = root / generation.WORK / "old"
    _remove(fresh)
    _remove(old)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(archive / "ai_coding", fresh, ignore=ignored)
    _sync_all(fresh)
    if not _exchange(fresh, package):
        if package.exists():
            package.rename(old)
        fresh.rename(package)
    journal.sync(root)


def _place_files(root: Path, archive: Path) -> None:
    """Emit setup.py and the locks, and remove the locks that the archive has not."""
    record = root / generation.WORK / "commit"
    locks = root / "self"
    files = {
        locks / path.name: path.read_bytes() for path in sorted((archive / "self").glob("*.lock"))
    }
    if (archive / "setup.py").exists():
        files[root / "setup.py"] = (archive / "setup.py").read_bytes()
    # What a killed run had staged may have the names that emit is about to use.
    emit.recover(record)
    emit.emit(files, record)
    for path in sorted(locks.glob("*.lock")):
        if path not in files:
            path.unlink()
    # Removals have to be durable before the mark goes: nothing would do them again.
    if locks.is_dir():
        journal.sync(locks)


def _exchange(one: Path, other: Path) -> bool:
    """Let the two change places in one step; False, with nothing done, where that fails."""
    if sys.platform != "linux":
        return False
    import ctypes

    try:
        renameat2 = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError):
        return False
    first, second = os.fsencode(one), os.fsencode(other)
    return bool(renameat2(_AT_FDCWD, first, _AT_FDCWD, second, _RENAME_EXCHANGE) == 0)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            journal.sync(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
