"""Stage 1 and stage 2: where the new package is built, tested, and built once more by itself.

In: the root of the tree, the settings, the units as stage 1 has built them, and the journal.
Out: the units of the stage, and the errors in their requirement files, of the test-suite, of
stage 1's own build and of the comparison of both stages; all that is written is in WORK, apart
from the journal's entries of units whose new take is to go on.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ai_coding import journal, lock, workspace
from ai_coding.diagnostic import Diagnostic, Span, error, errors
from ai_coding.generation import SELF, WORK, content
from ai_coding.ir import Settings, Spec
from ai_coding.lock import Lock, path_for
from ai_coding.transcript import Question, Unit, diagnostics

_COPIED = (
    "ai_coding",
    "self",
    "tests",
    "examples",
    "setup.py",
    "README.md",
    "pyproject.toml",
    ".flake8",
)
_LAST_LINES = 25


def make(root: Path) -> tuple[list[Spec], list[Diagnostic]]:
    """Make the stage from what is in root; its units, and the errors in their requirement files. OSError."""
    stage = _work(root) / "stage"
    _clear(stage)
    stage.mkdir(parents=True)
    for name in _COPIED:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, stage / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy2(source, stage / name)
    specs, faults = workspace.load([(stage / SELF).resolve()])
    for spec in specs:
        if not path_for(spec.path).exists():
            # No build wrote this output, so it would be in the way of the first one.
            (stage / spec.entry).unlink(missing_ok=True)
    return specs, errors(faults)


def resume(root: Path, folder: Path) -> None:
    """Let the builds of the old stage that a new take began for go on. folder: the journal. OSError."""
    stage = _work(root) / "stage"
    for path in sorted((stage / SELF.parent).glob("*.toml")):
        new = lock.read(path_for(path))
        old = lock.read(path_for(root / SELF.parent / path.name))
        before = old.take if isinstance(old, Lock) else 1
        if not isinstance(new, Lock) or new.take <= before:
            continue
        key = journal.unit(path, stage)
        state = journal.get(folder, "units", key)
        if isinstance(state, dict):
            # The new stage has the old lock: only an open take finds its recorded answers again.
            journal.put(folder, "units", key, {**state, "take": new.take, "open": True})


def suite(root: Path) -> list[Diagnostic]:
    """Run the whole test-suite in the stage. Nothing if it passes. OSError."""
    work = _work(root)
    env = {**os.environ, "PYTHONPATH": str(work / "stage"), "AI_CODING_STAGE": "1"}
    failure = _run(work, ["-m", "pytest", "-q"], env, "tests.log")
    if failure is None:
        return []
    return [_failed("tests", "the test-suite fails on stage 1", failure, "tests.log")]


def again(root: Path, settings: Settings, units: Sequence[Unit]) -> list[Diagnostic]:
    """Let stage 1 build stage 2 and compare; nothing if they are the same. OSError.

    Leaves stage 1 in WORK/one and stage 2 in WORK/stage, where the paths of the units lead.
    settings: only model and unsafe count. units: all units, as stage 1 has built them.
    """
    work = _work(root)
    _clear(work / "one")
    (work / "stage").rename(work / "one")
    make(root)  # the build below tells the faults of the requirement files
    _remember(work, units)
    return _build(work, settings) + _differences(work, units)


def _work(root: Path) -> Path:
    # Absolute, because the programs that are run with these paths run in another folder.
    return root.absolute() / WORK


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _run(work: Path, args: Sequence[str], env: Mapping[str, str], log: str) -> str | None:
    """Run python in the stage: None if it ends with 0, else the last lines of its output."""
    with (work / log).open("wb") as output:
        ended = subprocess.run(
            [sys.executable, *args],
            cwd=work / "stage",
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if ended.returncode == 0:
        return None
    lines = (work / log).read_bytes().decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-_LAST_LINES:])


def _failed(code: str, message: str, output: str, log: str) -> Diagnostic:
    return error(code, f"{message}\n{output}", help=f"its output is in {(WORK / log).as_posix()}")


def _remember(work: Path, units: Sequence[Unit]) -> None:
    """Make the journal that stage 1 builds stage 2 from."""
    memory = work / "journal"
    _clear(memory)
    for unit in units:
        for step in unit.steps:
            if isinstance(step, Question):
                journal.put(memory, "replies", step.request, step.reply)
            elif errors(diagnostics(step.answer)):
                # Repairs were rendered from it; what was accepted is to be judged anew.
                journal.put(memory, "verdicts", step.verdict, step.answer)
        state: dict[str, object] = {"take": unit.lock.take}
        if unit.before is not None and unit.lock.take > unit.before.take:
            # That build began a new take: without this, stage 2 would ask for another one.
            state["open"] = True
        journal.put(memory, "units", journal.unit(unit.spec.path, work / "stage"), state)


def _build(work: Path, settings: Settings) -> list[Diagnostic]:
    """Let stage 1's own command line build everything in the stage."""
    # -P: the stage, where it runs, holds a package of the same name that must not be imported.
    args = ["-P", "-m", "ai_coding", "build", SELF.as_posix()]
    if settings.model:
        args += ["-m", settings.model]
    args.append("-q")
    if settings.unsafe:
        args.append("--unsafe-sandbox")
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(work / "one"),
        "AI_CODING_JOURNAL": str(work / "journal"),
    }
    failure = _run(work, args, env, "stage2.log")
    if failure is None:
        return []
    message = f"stage 1 cannot build {SELF.as_posix()}"
    return [_failed("stage2", message, failure, "stage2.log")]


def _differences(work: Path, units: Sequence[Unit]) -> list[Diagnostic]:
    one, stage = work / "one", work / "stage"
    names: set[str] = set()
    for unit in units:
        locked = path_for(unit.spec.path.resolve()).relative_to(stage.resolve())
        names |= {unit.spec.entry, locked.as_posix()}
        # Where the output is committed, a lock has digests in place of texts.
        names |= {*unit.lock.program.files, *unit.lock.digests}
    found = []
    for name in sorted(names):
        first = content(one / name)
        if first is None or first != content(stage / name):
            message = f"{name} differs between stage 1 and stage 2"
            folders = f"{(WORK / 'one').as_posix()} and {(WORK / 'stage').as_posix()}"
            found.append(error("stage2", message, Span(name), f"compare it in {folders}"))
    return found
