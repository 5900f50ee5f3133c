"""Critics: Program -> Diagnostics. In: a program, its Spec, a sandbox tier. Out: a Verdict.

Each critic is a function (box: Box) -> (diagnostics, names of what passed); they run in order until one finds errors.
None raises because a program is bad.
"""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ai_coding import sandbox
from ai_coding.diagnostic import Diagnostic, errors
from ai_coding.ir import Program, Spec, Test, Verdict


@dataclass(frozen=True)
class Box:
    """A program laid out in a folder for the sandbox. beside: the programs of the units it uses, path -> text."""

    spec: Spec
    program: Program
    tests: Sequence[Test]
    beside: Mapping[str, str]
    tier: str
    folder: Path

    def run(
        self, command: Sequence[str], files: Mapping[str, str | bytes] | None = None, stdin: str = "",
        env: Mapping[str, str] | None = None, timeout: float = 10.0, keep: bool = False,
    ) -> tuple[sandbox.Result, Path]:  # fmt: skip
        """Run command in a fresh copy of the program's folder, with files added; {entry} and {stem} are replaced.

        keep: what it writes stays for the runs after it. Returns the result and the folder it ran in.
        """
        work = self.folder / "program" if keep else Path(tempfile.mkdtemp(dir=self.folder))
        if not keep:
            shutil.copytree(self.folder / "program", work, symlinks=True, dirs_exist_ok=True)
        lay(work, files or {})
        entry = self.program.entry
        full = [part.replace("{entry}", entry).replace("{stem}", entry.rpartition(".")[0]) for part in command]
        return sandbox.run(full, work, self.tier, stdin.encode(), env, timeout), work


def lay(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files into folder."""
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data if isinstance(data, bytes) else data.encode())


def judge(spec: Spec, program: Program, tests: Sequence[Test], beside: Mapping[str, str], tier: str) -> Verdict:
    """Run the critics of spec, the tests being these, until one finds an error."""
    found, passed = list[Diagnostic](), list[str]()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="ai_coding-"))
        stack.callback(sandbox.remove, folder)
        lay(folder / "program", {**spec.data, **beside, **program.files})
        for reached, name in enumerate(spec.critics, 1):
            critic = import_module(f"ai_coding.critics.{name}")  # not before: critics import this module
            diagnostics, names = critic.check(Box(spec, program, tests, beside, tier, folder))
            found += diagnostics
            passed += names
            if errors(found):
                return Verdict(tuple(found), reached, tuple(passed), tier)
    return Verdict(tuple(found), len(spec.critics) + 1, tuple(passed), tier)
