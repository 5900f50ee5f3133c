"""Critics: a program becomes a Verdict.

The program is laid into a new folder, together with the files it is used with, and the critics of
its requirement file look at it one after the other, until one of them finds an error.

In: a Spec, a Program, the tests that may be run, the programs of the used units and a sandbox tier.
Out: a Verdict; for the critics, a Box in which they run commands beside the program.
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

        That folder is a new copy of the program with files laid over it; with keep it is the
        program's own, so that what is written there stays. timeout in seconds. Raises OSError
        where the program cannot be copied or files cannot be written.
        """
        entry = self.program.entry
        values = {
            "{entry}": entry,
            "{stem}": entry.removesuffix("." + self.spec.language.extension),
        }
        words = [re.sub(r"\{(?:entry|stem)\}", lambda m: values[m[0]], word) for word in command]
        folder = self.folder / "program"
        if not keep:
            copy = Path(tempfile.mkdtemp(prefix="run-", dir=self.folder))
            shutil.copytree(folder, copy, symlinks=True, dirs_exist_ok=True)
            folder = copy
        lay(folder, files or {})
        result = sandbox.run(words, folder, self.tier, stdin.encode("utf-8"), env, timeout)
        return result, folder


def lay(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files, text as UTF-8, over what is there.

    Folders are made as needed. Raises OSError where one of them or a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        *parents, name = PurePosixPath(path).parts
        place = folder
        for part in parents:
            place /= part
            if not _is_real_folder(place):
                place.unlink(missing_ok=True)
                place.mkdir()
        place /= name
        # What is there may come from a hostile command: writing into a link would leave the folder,
        # writing into a pipe would never end. So it is replaced, not opened.
        if _is_real_folder(place):
            sandbox.remove(place)
        else:
            place.unlink(missing_ok=True)
        place.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def judge(
    spec: Spec, program: Program, tests: Sequence[Test], beside: Mapping[str, str], tier: str
) -> Verdict:
    """Run the critics of spec in order, up to the first that finds an error.

    reached is the number of that critic, counted from 1, or one more than there are critics.
    Raises ModuleNotFoundError for a critic that does not exist and OSError where the program
    cannot be laid out; its folder is removed in any case.
    """
    diagnostics: list[Diagnostic] = []
    passed: list[str] = []
    folder = Path(tempfile.mkdtemp(prefix="ai-coding-"))
    try:
        for files in (spec.data, beside, program.files):
            lay(folder / "program", files)
        box = Box(spec, program, tests, beside, tier, folder)
        for reached, name in enumerate(spec.critics, 1):
            # Critics import this module, so they can only be imported when they are needed.
            found, names = importlib.import_module(f"ai_coding.critics.{name}").check(box)
            diagnostics += found
            passed += names
            if errors(found):
                break
        else:
            reached = len(spec.critics) + 1
    finally:
        sandbox.remove(folder)
    return Verdict(tuple(diagnostics), reached, tuple(passed), tier)


def _is_real_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
