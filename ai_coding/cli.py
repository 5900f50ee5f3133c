"""The command line. In: arguments and the environment. Out: an exit code.

Everything heavy is imported where it is used. Exit codes: 0 done; 1 the program did not pass; 2 the requirement file or
the command line is wrong; 3 the provider failed; 4 waiting for replies; 130 interrupted.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ai_coding import ITERATION, __version__, journal

if TYPE_CHECKING:
    from ai_coding.ir import Settings, Spec

CODES = {"built": 0, "locked": 0, "current": 0, "failed": 1, "invalid": 2, "provider": 3, "waiting": 4}
VARIABLES = ("OPENAI_API_KEY", "OPENAI_API_URL", "GROQ_API_KEY", "GROQ_BASE_URL")
COMMANDS = {
    "build": "ask for, check and write the programs of requirement files (the default command)",
    "check": "check requirement files; asks no model",
    "show": "print the request that a build would send; asks no model",
    "status": "say what is up to date, stale (and why), edited by hand, never built or waiting",
    "pending": "list the requests that wait for a reply",
}
EXAMPLES = """\
examples:
  ai_coding qsort.toml                   build qsort.py, from qsort.lock if nothing changed
  ai_coding -m openai:gpt-5 qsort.toml   ask this model
  ai_coding -m 'command:llm' qsort.toml  ask through any program
  ai_coding -m manual qsort.toml         answer yourself: writes a prompt file, reads a reply file
"""


def parser() -> argparse.ArgumentParser:
    """All commands and options."""
    top = argparse.ArgumentParser(
        prog="ai_coding", description="A compiler whose source language is a requirement file.", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    top.add_argument("--version", action="version", version=f"ai_coding {__version__}, iteration {ITERATION}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help in COMMANDS.items():
        sub = commands.add_parser(name, help=help, description=help)
        sub.add_argument("--format", choices=("text", "json"), default="text", help="json: one object a line")
        if name == "pending":
            continue
        sub.add_argument("specs", nargs="+", metavar="SPEC.toml", type=Path)
        sub.add_argument(
            "-o", "--out", metavar="DIR", type=Path, default=Path(), help="where programs go (default: here)"
        )
        sub.add_argument("-m", "--model", default="", help="openai:NAME, groq:NAME, command:WORDS or manual")
        if name == "build":
            sub.add_argument("--attempts", type=int, default=0, metavar="N", help="ask at most N times for a program")
            sub.add_argument("--locked", action="store_true", help="only from the lock: ask nothing")
            sub.add_argument("--anew", action="store_true", help="ask again, from scratch, for another program")
            sub.add_argument("--force", action="store_true", help="overwrite edited files, keeping a copy")
            sub.add_argument(
                "--unsafe-sandbox", action="store_true", help="run programs unconfined if there is no sandbox"
            )
            sub.add_argument("-q", "--quiet", action="store_true")
            sub.add_argument("-v", "--verbose", action="store_true")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] not in COMMANDS and words[0] not in ("-h", "--help", "--version"):
        words.insert(0, "build")
    args = parser().parse_args(words)
    try:
        command = {"build": _build, "check": _check, "show": _show, "status": _status, "pending": _pending}
        return command[args.command](args)
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


def _settings(args: argparse.Namespace, spec: "Spec") -> "Settings":
    """What the command line, the requirement file and the environment say, in this order."""
    from ai_coding.ir import Settings

    env = {name: value for name in VARIABLES if (value := os.environ.get(name))}
    if "OPENAI_API_URL" not in env and (url := os.environ.get("OPENAI_BASE_URL")):
        env["OPENAI_API_URL"] = url
    model = args.model or spec.model or os.environ.get("AI_CODING_MODEL", "")
    if not model and ("OPENAI_API_KEY" in env or "OPENAI_API_URL" in env):
        model = "openai:" + os.environ.get("OPENAI_API_MODEL", "gpt-5")
    elif not model and "GROQ_API_KEY" in env:
        model = "groq:openai/gpt-oss-20b"
    flags = {name: getattr(args, name, False) for name in ("locked", "anew", "force")}
    unsafe, attempts = getattr(args, "unsafe_sandbox", False), getattr(args, "attempts", 0)
    return Settings(_journal(), args.out.absolute(), model, attempts, unsafe=unsafe, env=env, **flags)


def _load(args: argparse.Namespace) -> "tuple[list[Spec], int]":
    """The valid requirement files; diagnostics of the others are printed, and make the exit code 2."""
    from dataclasses import asdict

    from ai_coding import progress, spec

    specs, code = [], 0
    for path in args.specs:
        loaded, found = spec.load(path)
        if loaded:
            specs.append(loaded)
        else:
            code = 2
        if args.format == "json":
            for diagnostic in found:
                print(json.dumps({"event": "diagnostic", **asdict(diagnostic)}))
        else:
            progress.show(found)
    return specs, code


def _build(args: argparse.Namespace) -> int:
    folder, plain = _journal(), not (args.anew or args.force or args.format == "json")
    fresh = {
        path: name for path in args.specs if plain and (name := journal.fresh(folder, path, args.out, __version__))
    }
    for name in fresh.values() if not args.quiet else ():
        print(f"{name}: up to date")
    args.specs = [path for path in args.specs if path not in fresh]
    if not args.specs:
        return 0
    from ai_coding import progress
    from ai_coding.compiler import compile

    specs, code = _load(args)
    reader: progress.Reader = progress.Json() if args.format == "json" else progress.Text(args.verbose, args.quiet)
    for spec in specs:
        events = compile(spec, _settings(args, spec))
        try:
            while True:
                reader.event(next(events))
        except StopIteration as done:
            reader.outcome(spec.path.name, done.value)
            code = max(code, CODES[done.value.status])
    return code


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
        requests = compiler.requests(spec, _settings(args, spec))
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
        words = compiler.status(spec, _settings(args, spec))
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
