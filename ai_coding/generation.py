"""What a generation consists of and where its parts are, in the tree and in the archive.

A generation is one self-build of the tool. This module alone knows which files belong to it;
others write an archive, compare it and replay it.

In: the root of the project or the home of an archived generation, and the specs of its units.
Out: paths, digests and line counts of the files, and Diagnostics about them; nothing is written.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Spec, digest

SELF = Path("self/ai_coder.toml")  # the workspace that the tool is built from, relative to the root
WORK = Path(".self")  # where a rebuild works, relative to the root: not under version control
CHANGE = "change the requirement file and run `ai_coding self`, or restore it from version control"

_HISTORY = "history"
_TREE = ("ai_coding/**/*", "self/*.toml", "self/*.lock", "setup.py")
_ITERATION = re.compile(r"iter(0|[1-9][0-9]*)")
# The report cannot hold its own digest, and notes may be edited later.
_NOT_IN_MANIFEST = ("report.json", "NOTES.md")


def home(number: int) -> str:
    """The folder of an archived generation, relative to the root, with a slash: `history/iter3`."""
    return f"{_HISTORY}/iter{number}"


def transcript(number: int, spec: Spec) -> str:
    """The file of the unit's transcript in that generation, relative to the root,
    whether it is there or not.
    """
    return f"{home(number)}/transcripts/{spec.path.name.removesuffix('.toml')}.json"


def iterations(root: Path) -> list[int]:
    """The numbers of the archived generations, in order; [] without any."""
    return sorted(
        int(match[1])
        for path in (root / _HISTORY).glob("iter*")
        if (match := _ITERATION.fullmatch(path.name)) and path.is_dir()
    )


def tree(folder: Path) -> dict[str, str]:
    """Path -> digest of every file of a generation that is in folder: the root,
    or the home of an archived one.

    Raises OSError for a file that is there and cannot be read.
    """
    return {name: digest(path.read_bytes()) for name, path in _files(folder, *_TREE).items()}


def manifest(archive: Path) -> dict[str, str]:
    """Path -> digest of every file of an archived generation
    but report.json, NOTES.md and __pycache__.

    Raises OSError for a file that is there and cannot be read.
    """
    return {
        name: digest(path.read_bytes())
        for name, path in _files(archive, "**/*").items()
        if name not in _NOT_IN_MANIFEST
    }


def counts(root: Path, specs: Sequence[Spec]) -> dict[str, int]:
    """Lines of code, of what it was generated from, and of tests."""
    generated = {root / spec.entry for spec in specs}
    modules = set(_files(root, "ai_coding/**/*.py").values())
    data = {path: held for spec in specs for path, held in spec.data.items()}
    return {
        "generated": _lines(generated),
        "not generated": _lines(modules - generated),
        "requirement files": _lines({root / SELF, *(spec.path for spec in specs)}),
        "templates and tables": sum(len(held.splitlines()) for held in data.values()),
        "tests": _lines(_files(root, "tests/**/*.py").values()),
    }


def content(path: Path) -> bytes | None:
    """What the file holds, or None where it cannot be read,
    also for a path that no file can have (NUL). Never raises.
    """
    try:
        return path.read_bytes()
    except (OSError, ValueError):  # ValueError: NUL, or characters that no file name can have
        return None


def problem(code: str, path: str, message: str) -> Diagnostic:
    """An error at a file of the tree. path: relative to the root."""
    return error(code, message, Span(path), CHANGE)


def damaged(path: str, why: str, code: str = "damaged-archive") -> Diagnostic:
    """An error at a file of the archive. path: relative to the root."""
    message = f"{path} is damaged: {why}"
    return error(code, message, Span(path), "restore the file from version control")


def _files(folder: Path, *patterns: str) -> dict[str, Path]:
    """Path relative to folder -> file, sorted, of all files that match one of the patterns."""
    found = {
        path.relative_to(folder).as_posix(): path
        for pattern in patterns
        for path in folder.glob(pattern)
        if path.is_file()
    }
    # Only folders below the given one count: the project itself may stand in a __pycache__.
    return {
        name: found[name] for name in sorted(found) if "__pycache__" not in name.split("/")[:-1]
    }


def _lines(paths: Iterable[Path]) -> int:
    return sum(len((content(path) or b"").splitlines()) for path in paths)
