"""The files that a requirement file names: what they hold, and which requirement files it needs.

What is named may come from a stranger: only regular files that really lie below a given folder
are opened, and whatever is wrong with one of them becomes a fault at the element that names it.

In: the paths as they are listed, the folder below which they may lie or the requirement file
that lists them, and the collector of faults.
Out: texts, bytes to copy or used units, and with them the real paths of the files concerned.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from ai_coding import interface, paths, toml
from ai_coding.faults import Faults
from ai_coding.ir import Use
from ai_coding.toml import KeyPath

_MOST = 1_000_000  # Bytes that a file may have.


@dataclass(frozen=True)
class _Unit:
    """What counts of a used file: its whole interface, if it has one, and the files it uses."""

    use: Use | None
    uses: tuple[Path, ...]


def context(
    faults: Faults, folder: Path, listed: Sequence[str], at: KeyPath = ("project", "context")
) -> tuple[dict[str, str], list[Path]]:
    """R2: texts by their paths as written, in the order listed, and the real paths of the files
    that were read.

    at: the path of the key; an element is at (*at, index). Never raises because of what is listed
    or found there.
    """
    texts: dict[str, str] = {}
    files: list[Path] = []
    for index, written in enumerate(listed):
        place: KeyPath = (*at, index)
        found = _content(faults, folder, written, place)
        if found is None:
            continue
        real, data = found
        try:
            # Version control may change line ends, and nothing is to be stale for that.
            texts[written] = data.decode("utf-8").replace("\r\n", "\n")
        except UnicodeDecodeError:
            message = f"{written!r} is not UTF-8 text"
            faults.add("bad-encoding", message, place, help="save the file as UTF-8")
        else:
            files.append(real)
    return texts, files


def copies(
    faults: Faults, folder: Path, listed: Sequence[str], at: KeyPath
) -> tuple[dict[str, bytes], list[Path]]:
    """R3: bytes by file name, in the order listed, and the real paths of the files that were read.

    at: the path of the `copy` key; an element is at (*at, index). Never raises because of what is
    listed or found there.
    """
    names = [PurePosixPath(written).name for written in listed]
    contents: dict[str, bytes] = {}
    files: list[Path] = []
    for index, (written, name) in enumerate(zip(listed, names)):
        found = _content(faults, folder, written, (*at, index))
        if found is not None:
            real, contents[name] = found
            files.append(real)
    seen: set[str] = set()
    for name in names:
        if name in seen:
            way_out = "they are laid side by side: rename one of them"
            faults.add("bad-path", f"two files to copy are called {name!r}", at, help=way_out)
            break
        seen.add(name)
    return contents, files


def uses(
    faults: Faults, path: Path, listed: Sequence[str]
) -> tuple[tuple[Use, ...], tuple[Path, ...]]:
    """R4, R5, R6: the used units, in the order listed, and the needs: the real paths of all
    requirement files they rest on.

    path: the requirement file that lists them. Faults are added at ("project", "uses", index).
    Never raises, as above.
    """
    own = Path(os.path.realpath(path))
    used: list[Use] = []
    known: dict[Path, _Unit] = {}
    for index, element in enumerate(listed):
        at = ("project", "uses", index)
        written, names = _split(element)
        real = _file(faults, path.parent, written, at)
        if real is None:
            continue
        if real not in known:
            _follow([real], known)
        use = _relied_on(faults, known[real].use, written, names, at)
        if use is not None:
            used.append(use)
        # No earlier element led to this file, or the loop would have ended there.
        if own in known:
            message = f"{written!r} uses this file in turn"
            faults.add("cycle", message, at, help="move what both need to a third")
            break
    return tuple(used), tuple(_follow([use.path for use in used], known))


def _real(folder: Path, written: str) -> Path | None:
    """Where a path really leads, whether a file is there or not; None if it may not: R1."""
    if paths.problem(written):
        return None
    root = Path(os.path.realpath(folder))
    try:
        real = Path(os.path.realpath(root / written))
    except (OSError, ValueError, RecursionError):
        # No name of a file, or more links in a row than any system follows: nothing is there.
        return root / written
    return real if real.is_relative_to(root) else None


def _file(faults: Faults, folder: Path, written: str, at: KeyPath) -> Path | None:
    """The real path of a regular file that may be read; None if a fault was added: R1."""
    real = _real(folder, written)
    if real is None:
        message = f"{written!r} leads out of the folder that this file may read"
        way_out = f"only what lies in {_shown(folder)} is read: put a copy there"
        faults.add("bad-path", message, at, help=way_out)
        return None
    # The path as written is asked for, since a real path forgets what it passes: of a link to
    # `gone/../file` it is that of `file`, though the link leads nowhere.
    if os.path.isfile(os.path.join(folder, written)) and os.access(real, os.R_OK):
        return real
    _add_missing(faults, folder, written, at)
    return None


def _content(faults: Faults, folder: Path, written: str, at: KeyPath) -> tuple[Path, bytes] | None:
    """The real path of a file and what it holds; None if a fault was added: R1."""
    real = _file(faults, folder, written, at)
    if real is None:
        return None
    data = _read(real)
    if data is None:
        _add_missing(faults, folder, written, at)
    elif len(data) > _MOST:
        message = f"{written!r} has more than {_MOST:,} bytes"
        faults.add("file-too-big", message, at, help="name an extract of it that is small enough")
    else:
        return real, data
    return None


def _read(path: Path) -> bytes | None:
    """What a regular file holds, of a bigger one _MOST bytes and one; None if it is unreadable."""
    try:
        # The last filling of a smaller buffer would reach beyond what is asked for.
        with open(path, "rb", buffering=_MOST + 1) as file:
            return file.read(_MOST + 1)
    except OSError:
        return None


def _add_missing(faults: Faults, folder: Path, written: str, at: KeyPath) -> None:
    message = f"there is no file {written!r}"
    faults.add("missing-file", message, at, help=f"it is looked for in {_shown(folder)}")


def _shown(folder: Path) -> str:
    """The last name of a folder as given, and a slash."""
    # Folders such as `.` and `/` have no last name: they are shown as they are.
    return os.path.join(folder.name or folder, "")


def _split(element: str) -> tuple[str, list[str] | None]:
    """The path in an element of `uses`, and the names behind its colon, None without a colon."""
    # The colon of a drive, as in `C:/x`, is part of the path, which is a bad one for that.
    has_drive = element[:1].isalpha() and element[1:3] in (":/", ":\\")
    colon = element.find(":", 2 if has_drive else 0)
    if colon < 0:
        return element, None
    return element[:colon], [name.strip() for name in element[colon + 1:].split(",")]


def _relied_on(
    faults: Faults, whole: Use | None, written: str, names: list[str] | None, at: KeyPath
) -> Use | None:
    """The part of a unit with these names, all of it for None: R4; None if a fault was added."""
    if whole is None:
        message = f"{written!r} has no `interface` that others may rely on"
        faults.add("no-interface", message, at, help='add interface = """…""" to its [project]')
        return None
    if names is None:
        return whole
    part, missing = interface.pick(whole.interface, names)
    unknown = [name for name in names if not name or name in missing]
    for name in unknown:
        message = f"{written!r} does not offer {name!r}"
        faults.add("unknown-name", message, at, help="add it to the `interface` there")
    return None if unknown else Use(whole.path, whole.name, part.strip("\n"))


def _follow(starts: Iterable[Path], known: dict[Path, _Unit]) -> list[Path]:
    """These files in order, then all they use in turn, each once: R5. New ones go into known."""
    reached = dict.fromkeys(starts)
    waiting = list(reached)
    while waiting:
        path = waiting.pop()
        if path not in known:
            known[path] = _unit(path)
        new = [other for other in known[path].uses if other not in reached]
        reached.update(dict.fromkeys(new))
        waiting.extend(new)
    return list(reached)


def _unit(path: Path) -> _Unit:
    """What the file at this real path offers and uses; nothing if it is no requirement file."""
    data = _read(path) if os.path.isfile(path) else None
    if data is None or len(data) > _MOST:
        return _Unit(None, ())
    file, project = _tables(data)
    name, shown = file.get("name"), project.get("interface")
    use = None
    if isinstance(name, str) and isinstance(shown, str):
        use = Use(path, name, shown.strip("\n"))
    listed = project.get("uses")
    elements = listed if isinstance(listed, list) else []
    found = [_real(path.parent, _split(each)[0]) for each in elements if isinstance(each, str)]
    return _Unit(use, tuple(dict.fromkeys(real for real in found if real is not None)))


@cache
def _tables(data: bytes) -> tuple[dict[str, Any], ...]:
    """[file] and [project] in a file's bytes, empty where there is none; shared: only read them."""
    values = toml.values(data) or {}
    found = (values.get("file"), values.get("project"))
    return tuple(table if isinstance(table, dict) else {} for table in found)
