"""Proves, offline, that the package is what its requirement files say.

The tree is compared with its newest archived generation, the archive with its reports, and every unit's transcript is
replayed: the strategy has to ask what was asked then, and has to end in the bytes that are in the tree now.

In: the root of the project: its tree, its requirement files and the generations below history/.
Out: a Proof: all problems, each with its file and a way out, the lines of code, and the number of units.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ai_coding import lock, prompt, workspace
from ai_coding.diagnostic import Diagnostic, Span, error, errors
from ai_coding.ir import Ask, Judge, Program, Request, Spec, digest
from ai_coding.strategies.direct import direct

SELF = Path("self/ai_coder.toml")

_ITERATION = "ai_coding/iteration.txt"
_NOT_IN_MANIFEST = ("report.json", "NOTES.md")
_CHANGE = "change the requirement file and run `ai_coding self`, or restore the file from version control"
_RESTORE = "restore the file from version control"

_SPAN: Mapping[str, type[object]] = {"file": str, "line": int, "column": int, "length": int, "text": str}
_DIAGNOSTIC: Mapping[str, type[object]] = {"severity": str, "code": str, "message": str, "help": str}
_TOLD: Mapping[str, type[object]] = {"code": str, "path": str, "message": str, "help": str}

# Stands for the step after the last one: no request and no program has an empty digest.
_ENDED: Mapping[str, Any] = {"request": "", "program": ""}


@dataclass(frozen=True)
class Proof:
    """What check found. counts: lines by kind of file; units: how many requirement files yield a program."""

    problems: tuple[Diagnostic, ...]
    counts: Mapping[str, int]
    units: int


@dataclass(frozen=True)
class _Transcript:
    """How a unit was made. path: of its file, relative to the root; base: the generation it started from."""

    path: str
    model: str
    take: int
    base: int | None
    steps: tuple[Mapping[str, Any], ...]


def check(root: Path) -> Proof:
    """Compare the tree with its newest archived generation, and replay every unit's transcript."""
    root = root.resolve()
    specs, faults = workspace.load([root / SELF])
    lines = counts(root, specs)
    numbers = iterations(root)
    if not numbers:
        way_out = "run `ai_coding self`, or restore the folder history from version control"
        problem = error("no-generation", "there is no generation in the folder history", None, way_out)
        return Proof((problem,), lines, len(specs))
    problems = _compared(root, numbers[-1])
    for number in numbers:
        problems += _damages(root, number)
    problems += [_placed(root, fault) for fault in errors(faults)]
    problems += _unlisted(root, specs)
    problems += _replays(root, numbers, specs)
    return Proof(tuple(problems), lines, len(specs))


def iterations(root: Path) -> list[int]:
    """The numbers of the archived generations, in order."""
    folders = [path.name for path in (root / "history").glob("iter*") if path.is_dir()]
    matches = [re.fullmatch(r"iter(0|[1-9][0-9]*)", name) for name in folders]
    return sorted(int(match[1]) for match in matches if match)


def manifest(archive: Path) -> dict[str, str]:
    """Path -> digest of every file of an archived generation but report.json, NOTES.md and __pycache__."""
    names = [name for name in _names(archive, archive.rglob("*")) if name not in _NOT_IN_MANIFEST]
    return _digests(archive, names)


def counts(root: Path, specs: list[Spec]) -> dict[str, int]:
    """Lines of code, of what it was generated from, and of tests."""
    made = {spec.entry for spec in specs}
    package = [name for name in _tree(root) if name.startswith("ai_coding/") and name.endswith(".py")]
    data = {path: content for spec in specs for path, content in spec.data.items()}
    return {
        "generated": _lines(root / name for name in made),
        "not generated": _lines(root / name for name in package if name not in made),
        "requirement files": _lines({root / SELF, *(spec.path for spec in specs)}),
        "templates and tables": sum(len(content.splitlines()) for content in data.values()),
        "tests": _lines((root / "tests").rglob("*.py")),
    }


def _lines(paths: Iterable[Path]) -> int:
    """The lines of all these files; a missing one has none."""
    return sum(len((_bytes(path) or b"").splitlines()) for path in paths)


def _bytes(path: Path) -> bytes | None:
    """What the file holds, or None where it cannot be read."""
    try:
        return path.read_bytes()
    except (OSError, ValueError):  # ValueError: a path that no file can have
        return None


def _json(path: Path) -> Any:
    """The JSON value in the file, or None where there is none that can be read."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def _names(folder: Path, paths: Iterable[Path]) -> list[str]:
    """Those of paths that are files and not in a __pycache__, relative to folder, sorted."""
    names = [path.relative_to(folder) for path in paths if path.is_file()]
    return sorted(name.as_posix() for name in names if "__pycache__" not in name.parts)


def _tree(folder: Path) -> list[str]:
    """The files of a generation that are in folder, be it the root or an archive."""
    own = folder / SELF.parent
    package = (folder / "ai_coding").rglob("*")
    return _names(folder, [*package, *own.glob("*.toml"), *own.glob("*.lock"), folder / "setup.py"])


def _digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Name -> digest of the file of that name in folder."""
    return {name: digest((folder / name).read_bytes()) for name in names}


def _home(number: int) -> str:
    """The folder of an archived generation, relative to the root."""
    return f"history/iter{number}"


def _requirements(spec: Spec) -> str:
    """The requirement file, relative to the root."""
    return (SELF.parent / spec.path.name).as_posix()


def _transcript_path(number: int, spec: Spec) -> str:
    """The file of the unit's transcript in that generation, relative to the root."""
    return f"{_home(number)}/transcripts/{spec.path.stem}.json"


def _problem(code: str, path: str, message: str, way_out: str = _CHANGE) -> Diagnostic:
    """An error at a file. path: relative to the root."""
    return error(code, message, Span(path), way_out)


def _damaged(path: str, why: str) -> Diagnostic:
    """The error that a file of the archive is not as it was."""
    return _problem("damaged-archive", path, f"{path} is damaged: {why}", _RESTORE)


def _compared(root: Path, number: int) -> list[Diagnostic]:
    """Where the tree is not what the generation is."""
    archive = root / _home(number)
    now, then = _digests(root, _tree(root)), _digests(archive, _tree(archive))
    found = []
    for path in sorted({*now, *then}):
        if path not in then:
            found.append(_problem("not-generated", path, f"generation {number} has no {path}"))
        elif path not in now:
            found.append(_problem("differs", path, f"{path} of generation {number} is missing"))
        elif now[path] != then[path]:
            found.append(_problem("differs", path, f"{path} is not what it is in generation {number}"))
    return found


def _damages(root: Path, number: int) -> list[Diagnostic]:
    """Where an archived generation is not what its report says."""
    home = _home(number)
    report = _json(root / home / "report.json")
    files = report.get("files") if isinstance(report, dict) else None
    if not isinstance(files, dict) or not all(isinstance(value, str) for value in files.values()):
        return [_damaged(f"{home}/report.json", "it does not say which files the generation has")]
    there = manifest(root / home)
    found = []
    for path in sorted({*files, *there}):
        if path not in there:
            found.append(_damaged(f"{home}/{path}", "it is missing"))
        elif path not in files:
            found.append(_damaged(f"{home}/{path}", "the generation's report does not know it"))
        elif files[path] != there[path]:
            found.append(_damaged(f"{home}/{path}", "its digest is not the one in the generation's report"))
    return found


def _placed(root: Path, fault: Diagnostic) -> Diagnostic:
    """The fault of a requirement file with a place relative to root and with a way out."""
    if fault.span is None or not fault.span.file:
        span = Span(SELF.as_posix())
    else:
        path = Path(fault.span.file).resolve()
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else fault.span.file
        span = replace(fault.span, file=name)
    return replace(fault, span=span, help=fault.help or _CHANGE)


def _unlisted(root: Path, specs: Sequence[Spec]) -> list[Diagnostic]:
    """The files of the package that come from nowhere."""
    found, _ = workspace.read(root / SELF)  # what is wrong with it was told when the units were loaded
    listed = {_ITERATION, *(spec.entry for spec in specs), *(found.data if found else ())}
    own = f"{SELF.parent.as_posix()}/"
    message = f"no requirement file yields it, and `data` of {SELF.as_posix()} does not name it"
    unlisted = [path for path in _tree(root) if path not in listed and not path.startswith(own)]
    return [_problem("not-listed", path, f"{path}: {message}") for path in unlisted]


def _replays(root: Path, numbers: Sequence[int], specs: Sequence[Spec]) -> list[Diagnostic]:
    """The problems of all units, each replayed by the newest generation that has a transcript of it."""
    found: list[Diagnostic] = []
    units: dict[int, list[Spec]] = {}
    for spec in specs:
        having = [number for number in numbers if (root / _transcript_path(number, spec)).is_file()]
        if having:
            units.setdefault(having[-1], []).append(spec)
        else:
            path = _requirements(spec)
            found.append(_problem("no-transcript", path, f"no generation has a transcript of {path}"))
    for number in sorted(units):
        replay = _here if number == numbers[-1] else _elsewhere
        found += replay(root, number, units[number])
    return found


def _here(root: Path, number: int, specs: Sequence[Spec]) -> list[Diagnostic]:
    """The problems of these units, replayed by this program."""
    found = [_replay(root, number, spec) for spec in specs]
    return [problem for problem in found if problem is not None]


def _elsewhere(root: Path, number: int, specs: Sequence[Spec]) -> list[Diagnostic]:
    """The problems of these units, replayed by an older generation, because its templates rendered the requests."""
    names = [spec.path.name for spec in specs]
    command = [sys.executable, "-P", "-m", "ai_coding.proof", str(root), str(number), *names]
    # Without bytecode, so that a proof leaves the archive as it was.
    environment = {**os.environ, "PYTHONPATH": str(root / _home(number)), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    told = _told(done.stdout) if done.returncode == 0 else None
    if told is not None:
        return told
    stderr = done.stderr.decode("utf-8", "replace").strip()
    message = f"generation {number} could not replay {', '.join(names)} (exit code {done.returncode}): {stderr}"
    return [_problem("no-replay", f"{_home(number)}/ai_coding/proof.py", message, _RESTORE)]


def _told(output: bytes) -> list[Diagnostic] | None:
    """The problems that another generation printed, or None where it printed something else."""
    try:
        rows = json.loads(output)
    except (ValueError, RecursionError):
        return None
    if not isinstance(rows, list) or not all(_fits(row, _TOLD, tuple(_TOLD)) for row in rows):
        return None
    return [_problem(row["code"], row["path"], row["message"], row["help"]) for row in rows]


def _replay(root: Path, number: int, spec: Spec) -> Diagnostic | None:
    """What is wrong with the unit or with its transcript in that generation."""
    transcript = _transcript(root, number, spec)
    if isinstance(transcript, Diagnostic):
        return transcript
    start = _start(root, spec, transcript)
    if isinstance(start, Diagnostic):
        return start
    base, changes = start
    return _walk(root, spec, transcript, base, changes)


def _transcript(root: Path, number: int, spec: Spec) -> _Transcript | Diagnostic:
    """The unit's transcript. Its steps are objects; what is in them is looked at when they are needed."""
    path = _transcript_path(number, spec)
    record = _json(root / path)
    if not isinstance(record, dict):
        return _damaged(path, "it is not a JSON object")
    missing = [key for key in ("model", "take", "base", "steps") if key not in record]
    if missing:
        return _damaged(path, f"it has no {', '.join(missing)}")
    model, take, base, steps = record["model"], record["take"], record["base"], record["steps"]
    if type(model) is not str or type(take) is not int or not (base is None or type(base) is int):
        return _damaged(path, "its model, take or base is of a wrong type")
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        return _damaged(path, "its steps are not a list of objects")
    return _Transcript(path, model, take, base, tuple(steps))


def _start(root: Path, spec: Spec, transcript: _Transcript) -> tuple[Program | None, str] | Diagnostic:
    """The program that the strategy started from, and what changed in the requirements since then."""
    if transcript.base is None:
        return None, ""
    if transcript.base not in iterations(root):
        return _damaged(transcript.path, f"it starts from generation {transcript.base}, which is not there")
    home = _home(transcript.base)
    lock_path = f"{home}/{SELF.parent.as_posix()}/{lock.path_for(spec.path).name}"
    locked = lock.read(root / lock_path)
    if not isinstance(locked, lock.Lock):
        return _damaged(lock_path, f"{transcript.path} starts from it, and it cannot be read")
    files: dict[str, str] = {}
    for path in [*locked.digests, *locked.program.files] or [spec.entry]:
        text = _text(root / home / path)
        if text is None:
            return _damaged(f"{home}/{path}", f"{transcript.path} starts from it, and it cannot be read")
        files[path] = text
    program = Program(files, locked.program.entry or spec.entry)
    return program, prompt.difference(locked.asked, lock.asked(spec))


def _text(path: Path) -> str | None:
    """What the file holds, or None where it cannot be read or is not UTF-8."""
    content = _bytes(path)
    try:
        return None if content is None else content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _walk(root: Path, spec: Spec, transcript: _Transcript, base: Program | None, changes: str) -> Diagnostic | None:
    """Let the strategy run with the answers of the transcript; the first thing that is not as it was then."""
    strategy = direct(spec, base, changes)
    steps = iter(transcript.steps)
    answer: str | tuple[Diagnostic, ...] | Diagnostic | None = None
    while not isinstance(answer, Diagnostic):
        try:
            need = strategy.send(answer)
        except StopIteration as stop:
            return _ending(root, spec, transcript, stop.value, len(list(steps)))
        answer = _answer(spec, transcript, need, next(steps, _ENDED))
    return answer


def _answer(
    spec: Spec, transcript: _Transcript, need: Ask | Judge, step: Mapping[str, Any]
) -> str | tuple[Diagnostic, ...] | Diagnostic:
    """What the strategy was told then, or the problem with that."""
    if not isinstance(step.get("request"), str) and not isinstance(step.get("program"), str):
        return _damaged(transcript.path, "a step has neither a request nor a program")
    if isinstance(need, Ask):
        return _reply(spec, transcript, need, step)
    return _verdict(transcript, need, step)


def _reply(spec: Spec, transcript: _Transcript, ask: Ask, step: Mapping[str, Any]) -> str | Diagnostic:
    """The text of the step's reply, if the step answers this question."""
    request = Request(transcript.model, transcript.take, spec.parameters, ask.messages)
    if step.get("request") != request.digest:
        path = _requirements(spec)
        return _problem("other-request", path, f"{path} asks for something that {transcript.path} does not answer")
    reply = step.get("reply")
    text = reply.get("text") if isinstance(reply, dict) else None
    return text if isinstance(text, str) else _damaged(transcript.path, "a step's reply has no text")


def _verdict(transcript: _Transcript, judge: Judge, step: Mapping[str, Any]) -> tuple[Diagnostic, ...] | Diagnostic:
    """The step's diagnostics, if the step judges this program."""
    if step.get("program") != judge.program.digest:
        message = f"the replies of {transcript.path} make another program than the one that it says was judged"
        return _problem("other-program", transcript.path, message)
    found = _diagnostics(step.get("diagnostics"))
    return _damaged(transcript.path, "a step's diagnostics are none") if found is None else found


def _ending(root: Path, spec: Spec, transcript: _Transcript, program: Program, left: int) -> Diagnostic | None:
    """The problem with what the strategy ended in. left: how many steps it did not need."""
    path = spec.entry
    if left:
        return _problem("other-bytes", path, f"{path} is made before {transcript.path} ends, steps left over: {left}")
    if set(program.files) == {path}:
        # Lone surrogates, which a hostile reply may hold, are to be a difference and not an exception.
        made = program.files[path].encode("utf-8", "surrogatepass")
        if made == _bytes(root / path):
            return None
    return _problem("other-bytes", path, f"{path} is not the program that {transcript.path} makes")


def _diagnostics(value: object) -> tuple[Diagnostic, ...] | None:
    """The Diagnostics that value is a list of as dicts, or None where it is something else."""
    if not isinstance(value, list):
        return None
    found = [_diagnostic(row) for row in value]
    kept = tuple(row for row in found if row is not None)
    return kept if len(kept) == len(found) else None


def _diagnostic(value: object) -> Diagnostic | None:
    """The Diagnostic that value is as a dict, or None where it is something else."""
    if not isinstance(value, dict):
        return None
    span = value.get("span")
    flat = {key: item for key, item in value.items() if key != "span"}
    if not _fits(flat, _DIAGNOSTIC, ("severity", "code", "message")):
        return None
    if span is not None and not _fits(span, _SPAN, ("file",)):
        return None
    return Diagnostic(**flat, span=None if span is None else Span(**span))


def _fits(value: object, types: Mapping[str, type[object]], needed: Sequence[str]) -> bool:
    """Whether value is an object with all needed keys, no unknown ones, and values of exactly these types."""
    if not isinstance(value, dict) or not all(key in value for key in needed):
        return False
    return all(key in types and type(item) is types[key] for key, item in value.items())


def _main(arguments: Sequence[str]) -> int:
    """Print the problems of units replayed by this generation, as JSON. arguments: root, number, names. Exit code."""
    if len(arguments) < 2 or not re.fullmatch(r"[0-9]+", arguments[1]):
        print("usage: python -P -m ai_coding.proof ROOT N NAME…", file=sys.stderr)
        return 2
    root, number, names = Path(arguments[0]).resolve(), int(arguments[1]), arguments[2:]
    specs, faults = workspace.load([root / SELF])
    units = {spec.path.name: spec for spec in specs}
    unknown = [name for name in names if name not in units]
    if unknown:
        reasons = [str(fault) for fault in errors(faults)]
        print("\n".join([f"not to be loaded: {', '.join(unknown)}", *reasons]), file=sys.stderr)
        return 1
    problems = _here(root, number, [units[name] for name in names])
    rows = [
        {
            "code": found.code,
            "path": found.span.file if found.span else "",
            "message": found.message,
            "help": found.help,
        }
        for found in problems
    ]
    print(json.dumps(rows))
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
