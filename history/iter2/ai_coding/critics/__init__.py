"""Critics: a program becomes a Verdict.

A critic is a module of this package that offers `check(box)`: it looks at the program in the box,
may run commands beside it, and returns its diagnostics and the names of the tests that passed.

In: a Spec, a Program, the tests to run, the programs of used units and the tier of the sandbox.
Out: a Verdict: the diagnostics of all critics up to the first that finds an error.
"""

import importlib
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ai_coding import sandbox
from ai_coding.diagnostic import Diagnostic, errors
from ai_coding.ir import Program, Spec, Test, Verdict


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
        """Run command, {entry} and {stem} replaced, and return its result and the folder it ran in.

        That folder is a new copy of `program` with files laid over it; with keep it is `program`
        itself. timeout in seconds. Where an earlier command left `program` so that it cannot be
        copied or written to, the command is not started: exit_code is None. Raises OSError where
        this machine cannot write the files.
        """
        entry = self.program.entry
        names = {"entry": entry, "stem": entry.removesuffix(f".{self.spec.language.extension}")}
        words = [re.sub(r"\{(entry|stem)\}", lambda m: names[m[1]], word) for word in command]
        home = self.folder / "program"
        folder = home if keep else Path(tempfile.mkdtemp(dir=self.folder))
        try:
            if not keep:
                shutil.copytree(home, folder, symlinks=True, dirs_exist_ok=True)
            lay(folder, files or {})
        except (shutil.Error, PermissionError, RecursionError):
            # The error's own text names a random folder, and what a critic says must not depend
            # on place or time.
            reason = b"the program's folder holds something unreadable, special or too deep\n"
            return sandbox.Result(None, b"", reason), folder
        result = sandbox.run(words, folder, self.tier, stdin.encode("utf-8"), env, timeout)
        return result, folder


def lay(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files, text as UTF-8, over what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        *parents, name = PurePosixPath(path).parts
        target = _real_folder(folder, parents) / name
        # What is there is removed, not opened: a program may have left a link that leads out of
        # the folder, or a pipe that nobody reads.
        if target.is_dir() and not target.is_symlink():
            sandbox.remove(target)
        else:
            target.unlink(missing_ok=True)
        target.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def _real_folder(folder: Path, parts: Sequence[str]) -> Path:
    """The folder at parts below folder; links and files on the way give place to new folders."""
    for part in parts:
        folder /= part
        if folder.is_symlink() or not folder.is_dir():
            folder.unlink(missing_ok=True)
            folder.mkdir()
    return folder


def judge(
    spec: Spec,
    program: Program,
    tests: Sequence[Test],
    beside: Mapping[str, str],
    tier: str,
) -> Verdict:
    """Run spec.critics in order, up to and with the first that finds an error.

    The verdict's reached is the number of that critic, from 1, or else one more than there are.
    Raises ModuleNotFoundError for a critic that does not exist, and OSError where this machine
    cannot write the program's files.
    """
    found: list[Diagnostic] = []
    passed: list[str] = []
    reached = 1
    folder = Path(tempfile.mkdtemp())
    try:
        home = folder / "program"
        lay(home, spec.data)
        lay(home, beside)
        lay(home, program.files)
        box = Box(spec, program, tests, beside, tier, folder)
        for name in spec.critics:
            # Imported at its turn: every critic imports this module.
            critic = importlib.import_module(f"{__name__}.{name}")
            diagnostics, names = critic.check(box)
            found += diagnostics
            passed += names
            if errors(diagnostics):
                break
            reached += 1
    finally:
        sandbox.remove(folder)
    return Verdict(tuple(found), reached, tuple(passed), tier)
