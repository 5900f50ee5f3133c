"""Archives a generation in history/iterN and puts it in place; a kill at any point does no harm.

In: the root of the tree, the folder of a package that the rebuild has proven, the units that it
was built from, and notes.
Out: an archive that is there wholly or not at all, a mark that names it until it is in place, and
the tree changed to it.
"""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ai_coding import emit, generation, journal, transcript
from ai_coding.transcript import Question, Unit

_MARK = "promoting"  # in WORK: the number of the generation that is to be put in place
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def write(root: Path, built: Path, units: Sequence[Unit], notes: str) -> int:
    """Archive the package in the folder built as the next generation, and decide that it be
    promoted; its number. OSError.

    units: all units of the workspace, as stage 1 has built them. notes: what changed and why.
    """
    work = root / generation.WORK
    previous = max(generation.iterations(root), default=None)
    number = 0 if previous is None else previous + 1
    archive, home = work / "archive", root / generation.home(number)
    _remove(archive)
    _copy_package(built, archive)
    (archive / "ai_coding/iteration.txt").write_bytes(f"{number}\n".encode("ascii"))
    _write_transcripts(archive, units, number, previous)
    text = f"# Iteration {number}\n\n{notes.strip() or 'No notes.'}\n"
    (archive / "NOTES.md").write_bytes(text.encode("utf-8", "replace"))
    (archive / "report.json").write_bytes(_report(archive, built, units, number))
    _sync_all(archive)
    home.parent.mkdir(exist_ok=True)
    journal.write(work / _MARK, f"{number}\n".encode("ascii"))
    journal.sync(work)  # a power cut must not leave the rename without the mark
    os.rename(archive, home)
    for folder in (root, work, home.parent):
        journal.sync(folder)
    return number


def promote(root: Path) -> None:
    """Put the generation in place that a mark names, if there is one. OSError; ValueError
    if the mark holds no number.
    """
    work = root / generation.WORK
    mark = work / _MARK
    try:
        data = mark.read_bytes()
    except FileNotFoundError:
        return
    if not data.strip().isdigit():
        raise ValueError(f"{mark} holds no number: {data!r}")
    archive = root / generation.home(int(data))
    if archive.is_dir():
        _place_package(root, archive)
        _place_files(root, archive)
        _remove(work / "fresh")
        _remove(work / "old")
    mark.unlink()
    journal.sync(work)


def _copy_package(built: Path, archive: Path) -> None:
    ignored = shutil.ignore_patterns("README.md", "__pycache__")
    for name in ("ai_coding", "self"):
        shutil.copytree(built / name, archive / name, ignore=ignored)
    if (built / "setup.py").is_file():
        shutil.copy2(built / "setup.py", archive / "setup.py")


def _write_transcripts(
    archive: Path, units: Sequence[Unit], number: int, previous: int | None
) -> None:
    home = generation.home(number)
    for unit in units:
        if _questions(unit):
            name = Path(generation.transcript(number, unit.spec)).relative_to(home)
            (archive / name).parent.mkdir(parents=True, exist_ok=True)
            (archive / name).write_bytes(transcript.write(unit, previous))


def _questions(unit: Unit) -> list[Question]:
    return [step for step in unit.steps if isinstance(step, Question)]


def _report(archive: Path, built: Path, units: Sequence[Unit], number: int) -> bytes:
    report = {
        "iteration": number,
        "units": {unit.spec.entry: _row(unit) for unit in units},
        "lines": generation.counts(built, [unit.spec for unit in units]),
        "files": generation.manifest(archive),
    }
    return (json.dumps(report, indent=1) + "\n").encode("ascii")


def _row(unit: Unit) -> dict[str, object]:
    replies = [question.reply for question in _questions(unit)]
    return {
        "requests": len(replies),
        "passed_at_first_attempt": len(replies) == 1 if replies else None,
        "model": unit.lock.model,
        "input_tokens": sum(reply.get("input_tokens") or 0 for reply in replies),
        "output_tokens": sum(reply.get("output_tokens") or 0 for reply in replies),
        "tests": list(unit.lock.passed),
    }


def _place_package(root: Path, archive: Path) -> None:
    fresh, old = root / generation.WORK / "fresh", root / generation.WORK / "old"
    _remove(fresh)
    _remove(old)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(archive / "ai_coding", fresh, ignore=ignored)
    _sync_all(fresh)
    _swap(fresh, root / "ai_coding", old)
    journal.sync(root)


def _place_files(root: Path, archive: Path) -> None:
    """Make setup.py and the locks those of the archive; a setup.py that it has not stays."""
    folder = root / "self"
    files = {folder / path.name: path.read_bytes() for path in (archive / "self").glob("*.lock")}
    if (archive / "setup.py").is_file():
        files[root / "setup.py"] = (archive / "setup.py").read_bytes()
    record = root / generation.WORK / "commit"
    emit.recover(record)
    emit.emit(files, record)
    for path in sorted(folder.glob("*.lock")):
        if path not in files:
            path.unlink()
    if folder.is_dir():
        journal.sync(folder)  # a power cut must not bring a lock back when the mark is gone


def _swap(fresh: Path, package: Path, old: Path) -> None:
    if _exchange(fresh, package):
        return
    if os.path.lexists(package):
        os.rename(package, old)
    os.rename(fresh, package)


def _exchange(one: Path, other: Path) -> bool:
    """Whether one system call has swapped the two; if not, nothing has changed."""
    try:
        import ctypes

        renameat2 = ctypes.CDLL(None).renameat2
    except (ImportError, AttributeError, OSError, TypeError):
        return False  # a TypeError is what Windows has for CDLL(None)
    names = os.fsencode(one), os.fsencode(other)
    return bool(renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)


def _remove(path: Path) -> None:
    """Remove what is there, if anything; of a link, which a swap may have brought, only itself."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync_all(folder: Path) -> None:
    """Make the folder durable with all files and folders in it."""
    for path in folder.rglob("*"):
        if path.is_dir():
            journal.sync(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    journal.sync(folder)
