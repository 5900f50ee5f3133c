"""Rebuilds the tool from its requirement files.

In: the root of the source tree and Settings. Out: a new generation, archived and in place; or an Outcome that says why
not, and everything as it was. Stage 1 is built by this package, stage 2 by stage 1 from the recorded answers; they must
agree.
"""

import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from ai_coding import emit, journal, lock, proof, schedule, workspace
from ai_coding.diagnostic import Diagnostic, error
from ai_coding.ir import Event, Outcome, Settings, Spec
from ai_coding.lock import Lock

COPIED = ("ai_coding", "self", "tests", "examples", "setup.py", "README.md", "pyproject.toml", ".flake8")
Steps = dict[str, list[dict[str, Any]]]
Rebuild = Generator[Event, None, list[tuple[Spec, Outcome]] | Outcome]


@dataclass(frozen=True)
class Plan:
    """anew: units to ask for from scratch (names without .toml; empty: all; None: none). notes: what changed and why.

    dry: archive and promote nothing. jobs: how many units to build at a time.
    """

    anew: Sequence[str] | None = None
    notes: str = ""
    dry: bool = False
    jobs: int = 8


def rebuild(root: Path, settings: Settings, plan: Plan) -> Rebuild:
    """Build stage 1 and stage 2, test, compare, archive, promote. settings.out is ignored.

    Returns the outcomes of the units if some did not pass (or wait for replies), else one Outcome over the whole.
    """
    work = root / ".self"
    work.mkdir(exist_ok=True)
    with FileLock(work / "lock", thread_local=False):
        finish(root)
        number = (proof.iterations(root) or [-1])[-1] + 1
        specs, found = _stage(root, plan.anew)
        if found:
            return Outcome("invalid", tuple(found))
        stage = work / "stage"
        units = [(s, replace(settings, out=stage, anew=_anew(plan.anew, s), force=False)) for s in specs]
        builds, steps = schedule.build(units, plan.jobs), Steps()
        try:
            while True:
                event = next(builds)
                _record(steps, event, settings.journal)
                yield event
        except StopIteration as done:
            outcomes: list[Outcome] = done.value
        if any(outcome.status not in ("built", "locked", "current") for outcome in outcomes):
            return list(zip(specs, outcomes, strict=True))
        asked = {name: found for name, found in steps.items() if any("request" in step for step in found)}
        if not any(outcome.status == "built" for outcome in outcomes) and not proof.check(root).problems:
            return Outcome("current", summary="every module is what its requirement file says")
        yield Event("testing", "ai_coder.toml")
        if problem := _tests(stage, work):
            return Outcome("failed", (problem,))
        yield Event("stage2", "ai_coder.toml")
        if problems := _again(root, settings, plan, specs, asked):
            return Outcome("failed", tuple(problems))
        if plan.dry:
            return Outcome("current", summary=f"iteration {number} would be fine: {len(asked)} modules asked for")
        _archive(root, number, specs, asked, plan)
        journal.write(work / "promoting", str(number).encode())
        finish(root)
        return Outcome("built", summary=f"iteration {number}: {len(asked)} of {len(specs)} modules asked for")


def finish(root: Path) -> None:
    """Promote the archived generation that a killed run had decided on, if there is one."""
    mark = root / ".self/promoting"
    if not mark.exists():
        return
    archive = root / f"history/iter{mark.read_text()}"
    fresh = root / ".self/fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(archive / "ai_coding", fresh, ignore=shutil.ignore_patterns("__pycache__"))
    _exchange(fresh, root / "ai_coding")
    rest = [archive / "setup.py", *(archive / "self").glob("*.lock")]
    files = {root / path.relative_to(archive): path.read_bytes() for path in rest if path.exists()}
    for path in (root / "self").glob("*.lock"):
        if path not in files:
            path.unlink()
    emit.emit(files, root / ".self/commit")
    shutil.rmtree(fresh)
    mark.unlink()


def _stage(root: Path, anew: Sequence[str] | None) -> tuple[list[Spec], list[Diagnostic]]:
    """A copy of the tree to build in. Outputs without a lock, and those asked for anew, are not in it."""
    stage = root / ".self/stage"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    for name in COPIED:
        if (root / name).is_dir():
            shutil.copytree(root / name, stage / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (root / name).exists():
            shutil.copy(root / name, stage / name)
    specs, found = workspace.load([stage / proof.SELF])
    names = {spec.path.stem for spec in specs}
    found += [error("no-unit", f"there is no self/{name}.toml") for name in anew or () if name not in names]
    for spec in specs:
        if not lock.path_for(spec.path).exists():
            (stage / spec.entry).unlink(missing_ok=True)
    return specs, found


def _anew(anew: Sequence[str] | None, spec: Spec) -> bool:
    return anew is not None and (not anew or spec.path.stem in anew)


def _record(steps: Steps, event: Event, folder: Path) -> None:
    """Note what was asked and judged, as the journal has it: the transcript."""
    found = steps.setdefault(event.spec.removesuffix(".toml"), [])
    if event.kind == "replied":
        found[-1]["reply"] = journal.get(folder, "replies", found[-1]["request"])
    elif event.kind == "asked":
        found.append({"request": event.data["request"], "model": event.data["model"]})
    elif event.kind == "judged" and not event.data["held_out"]:
        verdict = journal.get(folder, "verdicts", event.data["verdict"])
        found.append({"program": event.data["program"], "verdict": event.data["verdict"], **verdict})


def _tests(stage: Path, work: Path) -> Diagnostic | None:
    """Run the whole test-suite against stage; its output goes to a log."""
    env = {**os.environ, "PYTHONPATH": str(stage), "AI_CODING_STAGE": "1"}
    with (work / "tests.log").open("wb") as log:
        done = subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=stage, env=env, stdout=log, stderr=log)
    if done.returncode == 0:
        return None
    tail = "\n".join((work / "tests.log").read_text("utf-8", "replace").splitlines()[-25:])
    return error("tests", f"the test-suite fails on stage 1\n{tail}", None, f"see {work / 'tests.log'}")


def _again(root: Path, settings: Settings, plan: Plan, specs: list[Spec], asked: Steps) -> list[Diagnostic]:
    """Let stage 1 build everything again, at the same place, from nothing but the recorded answers; compare."""
    work = root / ".self"
    one, stage, memory = work / "one", work / "stage", work / "journal"
    for old in (one, memory):
        shutil.rmtree(old, ignore_errors=True)
    os.rename(stage, one)
    _stage(root, plan.anew)
    for spec in specs:
        for step in asked.get(spec.path.stem, ()):
            if "request" in step:
                journal.put(memory, "replies", step["request"], step["reply"])
            elif any(d["severity"] == "error" for d in step["diagnostics"]):
                rest = {key: step[key] for key in ("diagnostics", "reached", "passed", "sandbox")}
                journal.put(memory, "verdicts", step["verdict"], rest)
        built = lock.read(one / "self" / lock.path_for(spec.path).name)
        before = lock.read(root / "self" / lock.path_for(spec.path).name)
        if isinstance(built, Lock):
            known = before.take if isinstance(before, Lock) else 0
            state = {"take": built.take, "open": bool(known) and built.take > known}
            journal.put(memory, "units", journal.unit(spec.path, stage), state)
    env = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(one), "AI_CODING_JOURNAL": str(memory)}
    command = [sys.executable, "-P", "-m", "ai_coding", "build", str(proof.SELF), "-m", settings.model, "-q"]
    command += ["--unsafe-sandbox"] if settings.unsafe else []
    done = subprocess.run(command, cwd=stage, env=env, capture_output=True, text=True)
    if done.returncode:
        words = done.stderr + done.stdout
        return [error("stage2", f"stage 1 cannot build the tool from the recorded answers\n{words[-3000:]}")]
    first, second = (_outputs(folder, specs) for folder in (one, stage))
    return [error("stage2", f"stage 2 differs from stage 1 in {p}") for p in first if first[p] != second.get(p)]


def _outputs(stage: Path, specs: list[Spec]) -> dict[str, bytes]:
    locks = [f"self/{lock.path_for(spec.path).name}" for spec in specs]
    return {name: (stage / name).read_bytes() for name in [*locks, *(spec.entry for spec in specs)]}


def _archive(root: Path, number: int, specs: list[Spec], asked: Steps, plan: Plan) -> None:
    """Put the generation into history/iterN, in one step."""
    one, target = root / ".self/one", root / ".self/archive"
    shutil.rmtree(target, ignore_errors=True)
    ignore = shutil.ignore_patterns("__pycache__", "README.md")
    for name in ("ai_coding", "self"):
        shutil.copytree(one / name, target / name, ignore=ignore)
    if (one / "setup.py").exists():
        shutil.copy(one / "setup.py", target)
    (target / "ai_coding/iteration.txt").write_text(f"{number}\n")
    (target / "transcripts").mkdir()
    units: dict[str, object] = {}
    for spec in specs:
        name, before = spec.path.stem, lock.read(root / "self" / lock.path_for(spec.path).name)
        accepted = lock.read(one / "self" / lock.path_for(spec.path).name)
        assert isinstance(accepted, Lock)
        if name in asked:
            kept = isinstance(before, Lock) and before.take == accepted.take
            about = {"model": accepted.model, "take": accepted.take, "base": number - 1 if kept else None}
            text = json.dumps({**about, "steps": asked[name]}, indent=1, ensure_ascii=False)
            (target / f"transcripts/{name}.json").write_text(text + "\n", "utf-8")
        requests = sum("request" in step for step in asked.get(name, ()))
        counts = {"requests": requests, "passed_at_first_attempt": requests == 1 if requests else None}
        tokens = {"input_tokens": accepted.input_tokens, "output_tokens": accepted.output_tokens}
        units[spec.entry] = {**counts, "model": accepted.model, **tokens, "tests": list(accepted.passed)}
    report = {"iteration": number, "units": units, "lines": proof.counts(one, specs), "files": proof.manifest(target)}
    (target / "report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    (target / "NOTES.md").write_text(f"# Iteration {number}\n\n{plan.notes.strip() or 'No notes.'}\n", "utf-8")
    (root / "history").mkdir(exist_ok=True)
    os.rename(target, root / f"history/iter{number}")


def _exchange(new: Path, old: Path) -> None:
    """Swap two folders in one step (renameat2 with RENAME_EXCHANGE, Linux 3.15); elsewhere in two."""
    libc = ctypes.CDLL(None, use_errno=True)
    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    if hasattr(libc, "renameat2") and libc.renameat2(here, bytes(new), here, bytes(old), swap) == 0:
        return
    spare = new.with_name("spare")
    os.rename(old, spare)
    os.rename(new, old)
    os.rename(spare, new)
