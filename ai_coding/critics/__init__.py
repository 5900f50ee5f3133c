"""Critics: a program becomes a Verdict.

Lays a program out in a folder of its own and lets the critics that its requirement file names look at it, one after
the other, to the first that finds an error. A critic NAME is the function `check` of the module ai_coding.critics.NAME:
it is given a Box and returns its diagnostics and the names of the tests that passed.

In: a Spec, a Program, the tests to run, the programs of the units it uses, and the tier of the sandbox.
Out: a Verdict; the folder is gone afterwards, whatever happened.
"""

import importlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ai_coding import sandbox
from ai_coding.diagnostic import Diagnostic, errors
from ai_coding.ir import Program, Spec, Test, Verdict

_PROGRAM = "program"


@dataclass(frozen=True)
class Box:
    """A program in folder / "program". beside: programs of used units, path -> text."""

    spec: Spec
    program: Program
    tests: Sequence[Test]
    beside: Mapping[str, str]
    tier: str
    folder: Path

    def run(
        self,
        command: Sequence[str],
        files: Mapping[str, str | bytes] | None = None,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        keep: bool = False,
    ) -> tuple[sandbox.Result, Path]:
        """Run command beside the program, files laid over it; return the result and the folder it ran in.

        {entry} and {stem} in command become the program's file and that without its extension. The folder is a new
        copy of the program; with keep it is the program's own, so that what the command writes stays for later runs.
        timeout in seconds. Raises ValueError for a path in files that is not inside the folder, and OSError where the
        folder cannot be copied or written.
        """
        folder = self.folder / _PROGRAM if keep else _copy_program(self.folder)
        lay(folder, files or {})
        filled = _fill(command, self.program.entry, self.spec.language.extension)
        return sandbox.run(filled, folder, self.tier, stdin.encode("utf-8"), env, timeout), folder


def lay(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files, text as UTF-8, over what is there.

    Links inside folder are replaced, not followed. Raises ValueError for a path that is not inside folder, and OSError
    where a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        target = _make_room(folder, path)
        target.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def judge(spec: Spec, program: Program, tests: Sequence[Test], beside: Mapping[str, str], tier: str) -> Verdict:
    """Run the critics of spec in order, to the first that finds an error.

    The verdict's reached is that critic's number, from 1, or one more than there are critics. The program lies over
    the programs beside it, and these over the hand-written files. Raises ImportError for a critic that does not exist,
    ValueError for a path that is not inside the program's folder, and OSError where a file cannot be written.
    """
    folder = Path(tempfile.mkdtemp(prefix="ai_coding-"))
    try:
        home = folder / _PROGRAM
        lay(home, spec.data)
        lay(home, beside)
        lay(home, program.files)
        return _ask_critics(Box(spec, program, tests, beside, tier, folder))
    finally:
        sandbox.remove(folder)


def _ask_critics(box: Box) -> Verdict:
    diagnostics: list[Diagnostic] = []
    passed: list[str] = []
    reached = 1
    for name in box.spec.critics:
        found, names = _load(name)(box)
        diagnostics.extend(found)
        passed.extend(names)
        if errors(found):
            break
        reached += 1
    return Verdict(tuple(diagnostics), reached, tuple(passed), box.tier)


def _load(name: str) -> Callable[[Box], tuple[Sequence[Diagnostic], Sequence[str]]]:
    # Critics import this module, so it can import them only when their turn has come.
    check: Callable[[Box], tuple[Sequence[Diagnostic], Sequence[str]]]
    check = importlib.import_module(f"ai_coding.critics.{name}").check
    return check


def _fill(command: Sequence[str], entry: str, extension: str) -> list[str]:
    # In one pass: a file's name may itself hold what looks like a placeholder.
    values = {"{entry}": entry, "{stem}": entry.removesuffix(f".{extension}")}
    return [re.sub(r"\{(?:entry|stem)\}", lambda match: values[match[0]], part) for part in command]


def _copy_program(folder: Path) -> Path:
    copy = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
    shutil.copytree(folder / _PROGRAM, copy, symlinks=True, copy_function=_copy_file, dirs_exist_ok=True)
    return copy


def _copy_file(source: str, target: str) -> None:
    # Pipes and sockets that a kept command left behind hold nothing to copy, and must not end the build.
    if os.path.isfile(source):
        shutil.copy2(source, target)


def _make_room(folder: Path, path: str) -> Path:
    """Return the place of path in folder: its parents are real folders, and nothing is there.

    A program may have left links that lead out of its folder: nothing is to be written through them.
    """
    *parents, name = _split(path)
    place = folder
    for part in parents:
        place = place / part
        if place.is_symlink() or not place.is_dir():
            place.unlink(missing_ok=True)
            place.mkdir()
    target = place / name
    if target.is_dir() and not target.is_symlink():
        sandbox.remove(target)
    else:
        target.unlink(missing_ok=True)
    return target


def _split(path: str) -> tuple[str, ...]:
    parts = PurePosixPath(path).parts
    if not parts or parts[0].startswith("/") or ".." in parts:
        raise ValueError(f"not a path inside a folder: {path!r}")
    return parts
