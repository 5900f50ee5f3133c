"""The command line: arguments and the environment become a call of the compiler, and that an exit code.

In: the words of a command line, the environment, the current folder.
Out: lines (or JSON) on standard output, what is wrong on standard error, and an exit code.
"""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from io import UnsupportedOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ai_coding import __version__, arguments, journal

if TYPE_CHECKING:
    from ai_coding.ir import Event, Outcome, Request, Settings, Spec
    from ai_coding.progress import Reader

_Result = TypeVar("_Result")
_CODES = {"built": 0, "locked": 0, "current": 0, "failed": 1, "invalid": 2, "provider": 3, "waiting": 4}
_GONE = 1
_INVALID = 2
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's); returns the exit code."""
    try:
        try:
            return _run(list(sys.argv[1:] if argv is None else argv))
        except KeyboardInterrupt:
            # The terminal has shown ^C, so the line begins after a line break.
            print("\ninterrupted; what was answered is kept", file=sys.stderr)
            return _INTERRUPTED
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _silence()
        return _GONE


def _silence() -> None:
    """Lead standard output to the null device, so that the interpreter's last flush finds a reader."""
    try:
        target = sys.stdout.fileno()
    except UnsupportedOperation:
        return  # A stream in memory: the interpreter has nothing to flush into a pipe.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, target)
    os.close(null)


def _run(words: list[str]) -> int:
    if words and words[0] not in {*arguments.COMMANDS, "-h", "--help", "--version"}:
        words = ["build", *words]
    options = arguments.parser().parse_args(words)
    commands = {
        "build": _build,
        "check": _check,
        "show": _show,
        "status": _status,
        "pending": _pending,
        "self": _self,
    }
    return commands[words[0]](options)


def _option(options: Namespace, *names: str) -> Any:
    """The first of these values that was given, else None: not every command has every option."""
    return next((value for name in names if (value := getattr(options, name, None))), None)


def _json(options: Namespace) -> bool:
    return bool(options.format == "json")


def _files(options: Namespace) -> list[Path]:
    """The requirement files: of the values of the commands that have them, only they are a list."""
    lists = (value for value in vars(options).values() if isinstance(value, (list, tuple)))
    return [Path(word) for words in lists for word in words]


def _journal() -> Path:
    folder = os.environ.get("AI_CODING_JOURNAL")
    if folder:
        return Path(folder).absolute()
    from platformdirs import user_cache_path

    return user_cache_path("ai_coding").absolute()


def _out(options: Namespace, spec: Spec | None) -> Path:
    chosen = _option(options, "out", "output") or (spec.output if spec else None) or Path()
    return Path(chosen).absolute()


def _environment() -> dict[str, str]:
    """The keys and addresses of providers that are set."""
    names = ("OPENAI_API_KEY", "OPENAI_API_URL", "GROQ_API_KEY", "GROQ_BASE_URL")
    values = {name: os.environ.get(name, "") for name in names}
    values["OPENAI_API_URL"] = values["OPENAI_API_URL"] or os.environ.get("OPENAI_BASE_URL", "")
    return {name: value for name, value in values.items() if value}


def _default_model(env: dict[str, str]) -> str:
    """The model that the environment stands for, or nothing."""
    chosen = os.environ.get("AI_CODING_MODEL")
    if chosen:
        return chosen
    if "OPENAI_API_KEY" in env or "OPENAI_API_URL" in env:
        return "openai:" + (os.environ.get("OPENAI_API_MODEL") or "gpt-5")
    return "groq:openai/gpt-oss-20b" if "GROQ_API_KEY" in env else ""


def _settings(options: Namespace, spec: Spec | None) -> Settings:
    from ai_coding import ir

    env = _environment()
    return ir.Settings(
        journal=_journal(),
        out=_out(options, spec),
        model=_option(options, "model") or (spec.model if spec else "") or _default_model(env),
        attempts=_option(options, "attempts") or 0,
        locked=bool(_option(options, "locked")),
        anew=bool(_option(options, "anew")),
        force=bool(_option(options, "force")),
        unsafe=bool(_option(options, "unsafe_sandbox", "unsafe")),
        env=env,
    )


def _loaded(options: Namespace, paths: Sequence[Path]) -> tuple[list[Spec], int]:
    """The valid units and the exit code so far; faults are told."""
    from dataclasses import asdict

    from ai_coding import diagnostic, progress, workspace

    specs, faults = workspace.load(paths)
    if _json(options):
        for fault in faults:
            print(json.dumps({"event": "diagnostic", **asdict(fault)}))
    else:
        progress.show(faults)
    return specs, _INVALID if diagnostic.errors(faults) else 0


def _reader(options: Namespace) -> Reader:
    from ai_coding import progress

    if _json(options):
        return progress.Json()
    return progress.Text(bool(_option(options, "verbose")), bool(_option(options, "quiet")))


def _followed(events: Generator[Event, None, _Result], reader: Reader) -> _Result:
    """What the events return at their end; the reader gets each and is closed however that ends."""
    with closing(reader), closing(events):
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                result: _Result = end.value
                return result
            reader.event(event)


def _concluded(reader: Reader, ends: Iterable[tuple[str, Outcome]]) -> int:
    """Give the reader the outcomes by name; returns the highest of their exit codes."""
    code = 0
    for name, outcome in ends:
        reader.outcome(name, outcome)
        code = max(code, _CODES[outcome.status])
    return code


def _changed(options: Namespace) -> list[Path]:
    """The paths that have to be loaded; the others are answered."""
    paths = _files(options)
    if options.anew or options.force or _json(options):
        return paths
    folder, out = _journal(), _out(options, None)
    changed = []
    for path in paths:
        program = journal.fresh(folder, path, out, __version__)
        if not program:
            changed.append(path)
        elif not _option(options, "quiet"):
            print(f"{program}: up to date")
    return changed


def _build(options: Namespace) -> int:
    paths = _changed(options)
    if not paths:
        return 0
    specs, code = _loaded(options, paths)
    if not specs:
        return code
    from ai_coding import schedule

    reader = _reader(options)
    units = [(spec, _settings(options, spec)) for spec in specs]
    outcomes = _followed(schedule.build(units, options.jobs), reader)
    names = [spec.path.name for spec in specs]
    return max(code, _concluded(reader, zip(names, outcomes, strict=True)))


def _check(options: Namespace) -> int:
    from ai_coding.diagnostic import count

    specs, code = _loaded(options, _files(options))
    if not _json(options):
        for spec in specs:
            requirements, tests = count(len(spec.requirements), "requirement"), count(len(spec.tests), "test")
            print(f"{spec.path.name}: fine; {requirements}, {tests}")
    return code


def _status(options: Namespace) -> int:
    from ai_coding import compiler

    specs, code = _loaded(options, _files(options))
    for spec in specs:
        words = compiler.status(spec, _settings(options, spec))
        if _json(options):
            print(json.dumps({"spec": str(spec.path), "status": words}))
        else:
            print(f"{spec.path.name}: {words}")
    return code


def _show(options: Namespace) -> int:
    from ai_coding import compiler

    specs, code = _loaded(options, _files(options))
    for spec in specs:
        requests = compiler.requests(spec, _settings(options, spec))
        for request in requests:
            _show_request(options, spec, request)
        if not requests:
            print(f"{spec.path.name}: nothing to ask", file=sys.stderr)
    return code


def _show_request(options: Namespace, spec: Spec, request: Request) -> None:
    from ai_coding import prompt
    from ai_coding.backends import manual

    tokens = prompt.tokens(request.messages)
    if _json(options):
        row = {
            "spec": str(spec.path),
            "request": request.digest,
            "model": request.model,
            "tokens": tokens,
            "messages": [{"role": message.role, "text": message.text} for message in request.messages],
        }
        print(json.dumps(row))
    else:
        print(manual.rendered(request))
        model = request.model or "no model"
        print(f"{spec.path.name}: about {tokens:,} tokens, for {model}", file=sys.stderr)


def _pending(options: Namespace) -> int:
    from dataclasses import asdict

    from ai_coding.backends import manual

    found = list(manual.pending(_journal()))
    if _json(options):
        print(json.dumps([{name: str(value) for name, value in asdict(waiting).items()} for waiting in found]))
    else:
        for waiting in found:
            print(f"{waiting.spec}\n  prompt  {waiting.prompt}\n  reply   {waiting.reply}")
    return 0


def _self(options: Namespace) -> int:
    from ai_coding import proof

    root = Path.cwd()
    if not (root / proof.SELF).is_file():
        print(f"{proof.SELF.as_posix()}: not found in the current folder, {root}", file=sys.stderr)
        return _INVALID
    return _prove(options, root) if options.check else _rebuild(options, root)


def _prove(options: Namespace, root: Path) -> int:
    from ai_coding import progress, proof

    found = proof.check(root)
    progress.show(found.problems)
    problems = len(found.problems)
    if _json(options):
        print(json.dumps({"units": found.units, "problems": problems, "lines": dict(found.counts)}))
    else:
        print(f"{found.units} modules, {problems} problems")
        for kind, number in found.counts.items():
            print(f"{number:7,} lines {kind}")
    return 1 if problems else 0


def _rebuild(options: Namespace, root: Path) -> int:
    from dataclasses import replace

    from ai_coding import bootstrap, proof

    plan = bootstrap.Plan(
        anew=options.anew,
        notes=_option(options, "notes") or "",
        dry=bool(_option(options, "dry_run")),
        jobs=options.jobs,
    )
    settings = replace(_settings(options, None), out=root, anew=False, force=False)
    reader = _reader(options)
    result = _followed(bootstrap.rebuild(root, settings, plan), reader)
    if not isinstance(result, list):
        return _concluded(reader, [(proof.SELF.name, result)])
    return _concluded(reader, [(spec.path.name, outcome) for spec, outcome in result if _CODES[outcome.status]])
