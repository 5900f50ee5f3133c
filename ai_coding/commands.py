"""The commands, each a function of its own name, and what they share: load, follow, conclude.

In: the options as the parser gives them, and the environment.
Out: lines on standard output and standard error, and an exit code: 0 done, 1 failed, 2 invalid,
     3 provider, 4 waiting.
"""

import json
import math
import sys
from argparse import Namespace
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TypeVar

from ai_coding import progress, settings
from ai_coding.diagnostic import Diagnostic, count, errors
from ai_coding.ir import Event, Outcome, Request, Spec
from ai_coding.progress import Reader

# What every command is: options, environment -> exit code.
Command = Callable[[Namespace, Mapping[str, str]], int]
Result = TypeVar("Result")

_CODES: Mapping[str, int] = {
    "built": 0,
    "locked": 0,
    "current": 0,
    "failed": 1,
    "invalid": 2,
    "provider": 3,
    "waiting": 4,
}


def build(options: Namespace, env: Mapping[str, str]) -> int:
    "Build the units of all files."
    specs, code = load(options)
    if not specs:
        return code
    from ai_coding import schedule

    units = [(spec, settings.decide(vars(options), env, spec)) for spec in specs]
    reader, outcomes = follow(options, schedule.build(units, options.jobs))
    names = [spec.path.name for spec in specs]
    code = max(code, conclude(reader, zip(names, outcomes, strict=True)))
    # The journal knows a unit by its own path already; all else that was asked for it does not.
    single = len(options.specs) == len(specs) == 1
    if code == 0 and not (single and options.specs[0].resolve() == specs[0].path.resolve()):
        from ai_coding import __version__, group

        out = settings.out(vars(options), None)
        ended = [(spec.path, decided.out) for spec, decided in units]
        group.remember(settings.journal(env), options.specs, out, __version__, ended)
    return code


def check(options: Namespace, env: Mapping[str, str]) -> int:
    "Say what is wrong with requirement files."
    from ai_coding import notes, workspace

    specs, faults = workspace.load(options.specs)
    found = [notes.find(spec) for spec in specs]
    _tell(options, chain(faults, *found))
    if options.format == "text":
        for spec, its in zip(specs, found, strict=True):
            requirements = count(len(spec.requirements), "requirement")
            tests = count(len(spec.tests), "test")
            behind = ", " + count(len(its), "note") if its else ""
            print(f"{spec.path.name}: fine; {requirements}, {tests}{behind}")
    return 2 if errors(faults) else 0


def status(options: Namespace, env: Mapping[str, str]) -> int:
    "Say where each unit stands."
    from ai_coding import compiler

    specs, code = load(options)
    for spec in specs:
        words = compiler.status(spec, settings.decide(vars(options), env, spec))
        if options.format == "json":
            print(json.dumps({"spec": str(spec.path), "status": words}))
        else:
            print(f"{spec.path.name}: {words}")
    return code


def show(options: Namespace, env: Mapping[str, str]) -> int:
    "Print the requests that a build would send."
    from ai_coding import compiler

    specs, code = load(options)
    for spec in specs:
        decided = settings.decide(vars(options), env, spec)
        requests = compiler.requests(spec, decided)
        for request in requests:
            _show_request(spec, request, decided.env, options.format == "json")
        if not requests:
            print(f"{spec.path.name}: nothing to ask", file=sys.stderr)
    return code


def pending(options: Namespace, env: Mapping[str, str]) -> int:
    "List the requests that wait for a reply."
    from ai_coding.backends import manual

    waiting = manual.pending(settings.journal(env))
    if options.format == "json":
        rows = [{key: str(value) for key, value in asdict(each).items()} for each in waiting]
        print(json.dumps(rows))
    else:
        for each in waiting:
            print(f"{each.spec}\n  prompt  {each.prompt}\n  reply   {each.reply}")
    return 0


def self(options: Namespace, env: Mapping[str, str]) -> int:
    "Rebuild the tool from its requirement files, or prove it."
    from ai_coding import proof

    root = Path.cwd()
    if not (root / proof.SELF).is_file():
        print(f"{proof.SELF}: not here; run this in the tool's own folder", file=sys.stderr)
        return 2
    return _prove(options, root) if options.check else _rebuild(options, env, root)


def load(options: Namespace) -> tuple[list[Spec], int]:
    "The valid units of options.specs, and the exit code so far, 0 or 2: the faults are told."
    from ai_coding import workspace

    specs, faults = workspace.load(options.specs)
    _tell(options, faults)
    return specs, 2 if errors(faults) else 0


def follow(options: Namespace, events: Generator[Event, None, Result]) -> tuple[Reader, Result]:
    "Show a build while it runs; the Reader (closed, outcomes may follow) and what the generator returned."
    reader: Reader
    if options.format == "json":
        reader = progress.Json()
    else:
        verbose = getattr(options, "verbose", False)
        reader = progress.Text(verbose, getattr(options, "quiet", False))
    # They are closed from right to left: workers may still write while they are waited for.
    with closing(reader), closing(events):
        try:
            while True:
                try:
                    event = next(events)
                except StopIteration as stop:
                    return reader, stop.value
                reader.event(event)
        except KeyboardInterrupt:
            # Closing the generator can take minutes: who interrupted it has to know that it ends.
            reader.event(Event("interrupted", ""))
            raise


def conclude(reader: Reader, ends: Iterable[tuple[str, Outcome]]) -> int:
    "Give the reader each outcome under its name, in order; the highest of their exit codes, 0 if there are none."
    code = 0
    for name, outcome in ends:
        reader.outcome(name, outcome)
        code = max(code, _CODES[outcome.status])
    return code


def _tell(options: Namespace, diagnostics: Iterable[Diagnostic]) -> None:
    "File by file, as the files are first met, in each by place."
    files: dict[str, list[Diagnostic]] = {}
    for each in diagnostics:
        files.setdefault(each.span.file if each.span else "", []).append(each)
    ordered = [each for those in files.values() for each in sorted(those, key=_place)]
    if options.format == "sarif":
        from ai_coding import sarif

        print(sarif.log(ordered))
    elif options.format == "json":
        for each in ordered:
            print(json.dumps({"event": "diagnostic", **asdict(each)}))
    else:
        progress.show(ordered)


def _place(diagnostic: Diagnostic) -> tuple[float, int]:
    "Line and column; what concerns the whole file is behind all lines."
    span = diagnostic.span
    return (span.line, span.column) if span and span.line else (math.inf, 0)


def _show_request(spec: Spec, request: Request, env: Mapping[str, str], as_json: bool) -> None:
    from ai_coding import prices, prompt

    tokens = prompt.tokens(request.messages)
    at_most = prices.at_most(request, env)
    if as_json:
        row = {
            "spec": str(spec.path),
            "request": request.digest,
            "model": request.model,
            "tokens": tokens,
            "at_most": at_most,
            "messages": [{"role": each.role, "text": each.text} for each in request.messages],
        }
        print(json.dumps(row))
    else:
        from ai_coding import words
        from ai_coding.backends import manual

        text = manual.rendered(request)
        print(words.plain(text) if sys.stdout.isatty() else text)
        cost = f", at most {prices.dollars(at_most)}" if at_most else ""
        model = request.model or "no model"
        print(f"{spec.path.name}: about {tokens:,} tokens, for {model}{cost}", file=sys.stderr)


def _prove(options: Namespace, root: Path) -> int:
    from ai_coding import proof

    found = proof.check(root)
    progress.show(found.problems)
    problems = len(found.problems)
    if options.format == "json":
        row = {"units": found.units, "problems": problems, "lines": dict(found.counts)}
        print(json.dumps(row))
    else:
        print(f"{found.units} modules, {problems} problems")
        for kind, lines in found.counts.items():
            print(f"{lines:7,} lines {kind}")
    return 1 if problems else 0


def _rebuild(options: Namespace, env: Mapping[str, str], root: Path) -> int:
    from ai_coding import bootstrap, proof

    # Here --anew names units, which is the Plan's business; in Settings it is a flag.
    decided = settings.decide({**vars(options), "anew": False}, env, None)
    plan = bootstrap.Plan(options.anew, options.notes, options.dry_run, options.jobs)
    reader, result = follow(options, bootstrap.rebuild(root, decided, plan))
    if isinstance(result, Outcome):
        return conclude(reader, [(Path(proof.SELF).name, result)])
    ends = [(spec.path.name, outcome) for spec, outcome in result]
    return conclude(reader, [end for end in ends if _CODES[end[1].status] > 0])
