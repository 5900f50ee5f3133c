"""Stage 1 and stage 2: where the new package is built, tested, and built once more by itself.

Stage 1 is built by the present package in a copy of the tree; stage 2 is what stage 1 makes of the
same requirement files from the recorded answers. If both are the same, the new one can take over.

In: the root of the tree, the journal, and the units as stage 1 has built them, with all that was
asked and judged for them.
Out: the stages, a journal for stage 2 and two logs, all below WORK; the units of the stage; and
Diagnostics for what failed or differs.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ai_coding import journal, lock, workspace
from ai_coding.diagnostic import Diagnostic, error, errors
from ai_coding.generation import SELF, WORK, content
from ai_coding.ir import Settings, Spec
from ai_coding.transcript import Question, Unit, diagnostics

_PARTS = (
    "ai_coding",
    "self",
    "tests",
    "examples",
    "setup.py",
    "README.md",
    "pyproject.toml",
    ".flake8",
)
_TAIL = 25  # lines of a log that a Diagnostic shows


def make(root: Path) -> tuple[list[Spec], list[Diagnostic]]:
    """Make the stage from what is in root; its units, and the errors in their requirement files. OSError."""
    stage = (root / WORK / "stage").resolve()
    _remove(stage)
    stage.mkdir(parents=True)
    for part in _PARTS:
        source = root / part
        if source.is_dir():
            shutil.copytree(source, stage / part, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy2(source, stage / part)
    specs, found = workspace.load([stage / SELF])
    for spec in specs:
        if not lock.path_for(spec.path).exists():
            ((spec.output or stage) / spec.entry).unlink(missing_ok=True)
    return specs, errors(found)


def resume(root: Path, folder: Path) -> None:
    """Let the builds of the old stage that a new take began for go on. folder: the journal. OSError."""
    stage = root / WORK / "stage"
    for path in sorted((stage / SELF.parent).glob("*.toml")):
        new = lock.read(lock.path_for(path))
        old = lock.read(lock.path_for(root / SELF.parent / path.name))
        if not isinstance(new, lock.Lock):
            continue
        if new.take <= (old.take if isinstance(old, lock.Lock) else 1):
            continue
        key = journal.unit(path, stage)
        state = journal.get(folder, "units", key)
        if isinstance(state, dict):
            journal.put(folder, "units", key, {**state, "take": new.take, "open": True})


def suite(root: Path) -> list[Diagnostic]:
    """Run the whole test-suite in the stage. Nothing if it passes. OSError."""
    work = (root / WORK).absolute()
    stage = work / "stage"
    env = {**os.environ, "PYTHONPATH": str(stage), "AI_CODING_STAGE": "1"}
    tail = _run(["-m", "pytest", "-q"], stage, env, work / "tests.log")
    if tail is None:
        return []
    message = f"the test-suite fails on stage 1\n{tail}"
    return [error("tests", message, help="the whole output is in .self/tests.log")]


def again(root: Path, settings: Settings, units: Sequence[Unit]) -> list[Diagnostic]:
    """Let stage 1 build stage 2 and compare; nothing if they are the same. OSError.

    Leaves stage 1 in WORK/one and stage 2 in WORK/stage, where the paths of the units lead.
    settings: only model and unsafe count. units: all units, as stage 1 has built them.
    """
    work = (root / WORK).absolute()
    _remove(work / "one")
    (work / "stage").rename(work / "one")
    make(root)  # what is wrong with the requirement files is told by the build below
    _remove(work / "journal")
    for unit in units:
        _remember(work, unit)
    return [*_build(work, settings), *_compare(work, units)]


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _run(arguments: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path) -> str | None:
    """Run python, its output going to log: None if it ends with 0, else the output's last lines."""
    with log.open("wb") as output:
        ended = subprocess.run(
            [sys.executable, *arguments],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if ended.returncode == 0:
        return None
    return "\n".join(log.read_bytes().decode("utf-8", "replace").splitlines()[-_TAIL:])


def _remember(work: Path, unit: Unit) -> None:
    """Put into the journal of stage 2 what the build of the unit was told and started from."""
    memory = work / "journal"
    for step in unit.steps:
        if isinstance(step, Question):
            journal.put(memory, "replies", step.request, step.reply)
        elif errors(diagnostics(step.answer)):
            # Repairs were rendered from these; what was accepted, stage 1 has to judge anew.
            journal.put(memory, "verdicts", step.verdict, step.answer)
    state: dict[str, object] = {"take": unit.lock.take}
    if unit.before is not None and unit.lock.take > unit.before.take:
        state["open"] = True
    journal.put(memory, "units", journal.unit(unit.spec.path, work / "stage"), state)


def _build(work: Path, settings: Settings) -> list[Diagnostic]:
    """Build stage 2 with the command line of stage 1, which has only the journal to ask."""
    arguments = ["-P", "-m", "ai_coding", "build", SELF.as_posix()]
    if settings.model:
        arguments += ["-m", settings.model]
    arguments.append("-q")
    if settings.unsafe:
        arguments.append("--unsafe-sandbox")
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(work / "one"),
        "AI_CODING_JOURNAL": str(work / "journal"),
    }
    tail = _run(arguments, work / "stage", env, work / "stage2.log")
    if tail is None:
        return []
    message = f"stage 1 cannot build {SELF.as_posix()}\n{tail}"
    return [error("stage2", message, help="the whole output is in .self/stage2.log")]


def _compare(work: Path, units: Sequence[Unit]) -> list[Diagnostic]:
    stage = (work / "stage").resolve()  # as the paths of the units are
    paths: set[str] = set()
    for unit in units:
        output = Path(os.path.relpath(unit.spec.output or stage, stage))
        names = {unit.spec.entry, *unit.lock.program.files, *unit.lock.digests}
        paths.update((output / name).as_posix() for name in names)
        paths.add(Path(os.path.relpath(lock.path_for(unit.spec.path), stage)).as_posix())
    found = []
    for path in sorted(paths):
        one = content(work / "one" / path)
        if one is None or one != content(stage / path):
            message = f"{path} differs between stage 1 and stage 2"
            way_out = "compare the file in .self/one, stage 1, with that in .self/stage, stage 2"
            found.append(error("stage2", message, help=way_out))
    return found
