"""The command line. In: arguments and the environment. Out: an exit code.

Everything heavy is imported where it is used. Exit codes: 0 done; 1 the program did not pass; 2 the requirement file or
the command line is wrong; 3 the provider failed; 4 waiting for replies; 130 interrupted.
"""

import argparse
import json
import os
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ai_coding import __version__, arguments, journal

if TYPE_CHECKING:
    from ai_coding.ir import Event, Settings, Spec
    from ai_coding.progress import Reader

End = TypeVar("End")
CODES = {"built": 0, "locked": 0, "current": 0, "failed": 1, "invalid": 2, "provider": 3, "waiting": 4}
VARIABLES = ("OPENAI_API_KEY", "OPENAI_API_URL", "GROQ_API_KEY", "GROQ_BASE_URL")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] not in arguments.COMMANDS and words[0] not in ("-h", "--help", "--version"):
        words.insert(0, "build")
    args = arguments.parser().parse_args(words)
    try:
        run = {"build": _build, "check": _check, "show": _show, "status": _status, "pending": _pending, "self": _self}
        code = run[args.command](args)
        sys.stdout.flush()  # here and not at the exit, where a reader that is gone could not be caught
        return code
    except KeyboardInterrupt:
        print("\ninterrupted: what was answered is kept, the next build goes on from there", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _journal() -> Path:
    if folder := os.environ.get("AI_CODING_JOURNAL"):
        return Path(folder).absolute()
    from platformdirs import user_cache_path

    return user_cache_path("ai_coding")


def _settings(args: argparse.Namespace, pinned: str, out: Path) -> "Settings":
    """What the command line, the requirement file (pinned is its model) and the environment say, in this order."""
    from ai_coding.ir import Settings

    env = {name: value for name in VARIABLES if (value := os.environ.get(name))}
    if "OPENAI_API_URL" not in env and (url := os.environ.get("OPENAI_BASE_URL")):
        env["OPENAI_API_URL"] = url
    model = args.model or pinned or os.environ.get("AI_CODING_MODEL", "")
    if not model and ("OPENAI_API_KEY" in env or "OPENAI_API_URL" in env):
        model = "openai:" + (os.environ.get("OPENAI_API_MODEL") or "gpt-5")
    elif not model and "GROQ_API_KEY" in env:
        model = "groq:openai/gpt-oss-20b"
    flags = {name: getattr(args, name, False) is True for name in ("locked", "anew", "force")}
    unsafe, attempts = getattr(args, "unsafe_sandbox", False), getattr(args, "attempts", 0)
    return Settings(_journal(), out.absolute(), model, attempts, unsafe=unsafe, env=env, **flags)


def _for(args: argparse.Namespace, spec: "Spec") -> "Settings":
    return _settings(args, spec.model, args.out or spec.output or Path())


def _load(args: argparse.Namespace) -> "tuple[list[Spec], int]":
    """The valid requirement files; diagnostics of the others are printed, and make the exit code 2."""
    from dataclasses import asdict

    from ai_coding import progress, workspace

    specs, found = workspace.load(args.specs)
    for diagnostic in found if args.format == "json" else ():
        print(json.dumps({"event": "diagnostic", **asdict(diagnostic)}))
    if args.format == "text":
        progress.show(found)
    return specs, 2 if found else 0


def _build(args: argparse.Namespace) -> int:
    folder, plain, out = _journal(), not (args.anew or args.force or args.format == "json"), args.out or Path()
    fresh = {path: name for path in args.specs if plain and (name := journal.fresh(folder, path, out, __version__))}
    for name in fresh.values() if not args.quiet else ():
        print(f"{name}: up to date")
    args.specs = [path for path in args.specs if path not in fresh]
    if not args.specs:
        return 0
    from ai_coding import progress, schedule

    specs, code = _load(args)
    reader: progress.Reader = progress.Json() if args.format == "json" else progress.Text(args.verbose, args.quiet)
    builds = schedule.build([(spec, _for(args, spec)) for spec in specs], args.jobs)
    for spec, outcome in zip(specs, _follow(builds, reader), strict=True):
        reader.outcome(spec.path.name, outcome)
        code = max(code, CODES[outcome.status])
    return code


def _follow(steps: "Generator[Event, None, End]", reader: "Reader") -> "End":
    """What steps end with; reader is told of each."""
    try:
        while True:
            reader.event(next(steps))
    except StopIteration as done:
        ended: End = done.value
        return ended
    finally:
        reader.close()


def _check(args: argparse.Namespace) -> int:
    from ai_coding.diagnostic import count

    specs, code = _load(args)
    if args.format == "text":
        for spec in specs:
            requirements, tests = count(len(spec.requirements), "requirement"), count(len(spec.tests), "test")
            print(f"{spec.path.name}: fine; {requirements}, {tests}")
    return code


def _show(args: argparse.Namespace) -> int:
    from ai_coding import compiler, prompt
    from ai_coding.backends.manual import rendered

    specs, code = _load(args)
    for spec in specs:
        requests = compiler.requests(spec, _for(args, spec))
        if not requests:
            print(f"{spec.path.name}: nothing to ask", file=sys.stderr)
        for request in requests:
            count = prompt.tokens(request.messages)
            if args.format == "json":
                messages = [{"role": m.role, "text": m.text} for m in request.messages]
                about = {"spec": str(spec.path), "request": request.digest, "model": request.model, "tokens": count}
                print(json.dumps(about | {"messages": messages}))
            else:
                print(rendered(request))
                print(f"{spec.path.name}: about {count:,} tokens, for {request.model or 'no model'}", file=sys.stderr)
    return code


def _status(args: argparse.Namespace) -> int:
    from ai_coding import compiler

    specs, code = _load(args)
    for spec in specs:
        words = compiler.status(spec, _for(args, spec))
        print(
            json.dumps({"spec": str(spec.path), "status": words})
            if args.format == "json"
            else f"{spec.path.name}: {words}"
        )
    return code


def _pending(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from ai_coding.backends import manual

    found = [{key: str(value) for key, value in asdict(w).items()} for w in manual.pending(_journal())]
    if args.format == "json":
        print(json.dumps(found, indent=2))
    for row in found if args.format == "text" else ():
        print(f"{row['spec']}\n  prompt  {row['prompt']}\n  reply   {row['reply']}")
    return 0


def _self(args: argparse.Namespace) -> int:
    from ai_coding import bootstrap, progress, proof

    root = Path.cwd()
    if not (root / proof.SELF).is_file():
        print(f"ai_coding self: there is no {proof.SELF} here: run it at the top of the source tree", file=sys.stderr)
        return 2
    reader: progress.Reader = progress.Json() if args.format == "json" else progress.Text(args.verbose, args.quiet)
    if args.check:
        found = proof.check(root)
        progress.show(found.problems)
        if args.format == "json":
            print(json.dumps({"units": found.units, "problems": len(found.problems), "lines": dict(found.counts)}))
        else:
            print(f"{found.units} modules, {len(found.problems)} problems")
            for kind, number in found.counts.items():
                print(f"{number:7,} lines {kind}")
        return 1 if found.problems else 0
    plan = bootstrap.Plan(args.anew, args.notes, args.dry_run, args.jobs)
    ended = _follow(bootstrap.rebuild(root, _settings(args, "", root), plan), reader)
    if isinstance(ended, list):
        bad = [(spec, outcome) for spec, outcome in ended if CODES[outcome.status]]
        for spec, outcome in bad:
            reader.outcome(spec.path.name, outcome)
        return max(CODES[outcome.status] for _, outcome in bad)
    reader.outcome("ai_coder.toml", ended)
    return CODES[ended.status]
