"""What a generation consists of and where its parts are, in the tree and in the archive.

The one place that knows this shape; others write an archive, compare it and replay it.

In: the root of the project or the folder of an archived generation, and the specs of the tool.
Out: paths, digests, numbers of lines, and Diagnostics at files. Nothing is written. A file that
is part of a generation but cannot be read is an OSError in `tree` and `manifest`: left out, it
would seem not to be there.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Spec, digest

SELF = Path("self/ai_coder.toml")  # the workspace that the tool is built from, relative to the root
WORK = Path(".self")  # where a rebuild works, relative to the root: not under version control
CHANGE = "change the requirement file and run `ai_coding self`, or restore it from version control"

_TREE = ("ai_coding/**/*", "self/*.toml", "self/*.lock", "setup.py")
_NOT_IN_MANIFEST = ("report.json", "NOTES.md")


def home(number: int) -> str:
    """The folder of an archived generation, relative to the root, with a slash: `history/iter3`."""
    return f"history/iter{number}"


def transcript(number: int, spec: Spec) -> str:
    """The file of the unit's transcript in that generation, relative to the root, whether it is there or not."""
    return f"{home(number)}/transcripts/{spec.path.name.removesuffix('.toml')}.json"


def iterations(root: Path) -> list[int]:
    """The numbers of the archived generations, in order; [] without any."""
    return sorted(
        int(found[1])
        for path in (root / "history").glob("iter*")
        if (found := re.fullmatch("iter(0|[1-9][0-9]*)", path.name)) and path.is_dir()
    )


def tree(folder: Path) -> dict[str, str]:
    """Path -> digest of every file of a generation that is in folder: the root, or the home of an archived one."""
    return {name: digest((folder / name).read_bytes()) for name in _files(folder, *_TREE)}


def manifest(archive: Path) -> dict[str, str]:
    """Path -> digest of every file of an archived generation but report.json, NOTES.md and __pycache__."""
    return {
        name: digest((archive / name).read_bytes())
        for name in _files(archive, "**/*")
        if name not in _NOT_IN_MANIFEST
    }


def counts(root: Path, specs: Sequence[Spec]) -> dict[str, int]:
    """Lines of code, of what it was generated from, and of tests."""
    generated = {root / spec.entry for spec in specs}
    code = {root / name for name in _files(root, "ai_coding/**/*.py")}
    data = {path: held for spec in specs for path, held in spec.data.items()}
    return {
        "generated": _lines(generated),
        "not generated": _lines(code - generated),
        "requirement files": _lines({root / SELF, *(spec.path for spec in specs)}),
        "templates and tables": sum(len(held.splitlines()) for held in data.values()),
        "tests": _lines((root / "tests").rglob("*.py")),
    }


def content(path: Path) -> bytes | None:
    """What the file holds, or None where it cannot be read, also for a path that no file can have (NUL).

    Never raises.
    """
    try:
        # Only regular files: a pipe or a device may never end.
        return path.read_bytes() if path.is_file() else None
    except (OSError, ValueError):
        return None


def problem(code: str, path: str, message: str) -> Diagnostic:
    """An error at a file of the tree. path: relative to the root."""
    return error(code, message, Span(path), CHANGE)


def damaged(path: str, why: str, code: str = "damaged-archive") -> Diagnostic:
    """An error at a file of the archive. path: relative to the root."""
    message = f"{path} is damaged: {why}"
    return error(code, message, Span(path), "restore the file from version control")


def _files(folder: Path, *patterns: str) -> list[str]:
    """The files in folder that match a pattern, relative to it, sorted; none in a __pycache__."""
    found = {
        path.relative_to(folder)
        for pattern in patterns
        for path in folder.glob(pattern)
        if path.is_file()
    }
    # Sorted as text: Path objects compare part by part, which is another order.
    return sorted(path.as_posix() for path in found if "__pycache__" not in path.parent.parts)


def _lines(paths: Iterable[Path]) -> int:
    return sum(len((content(path) or b"").splitlines()) for path in paths)
