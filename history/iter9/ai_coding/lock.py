"""The lock: the committed record of an accepted build, from which every byte of it comes back.

A lock is TOML in one fixed form, so that it can be read in a review and compared line by line.
Its last line is the digest of all bytes before it: what was changed by hand or by a merge is
refused, never built.

In: a Spec with the texts of the programs it uses; a Lock to be written; the path of a lock file.
Out: what of a Spec makes its program stale; the text of a lock file; a Lock, or a Diagnostic that
says why there is none in that file.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Program, Spec, digest
from ai_coding.paths import clashes, problem

_T = TypeVar("_T")

_COMMENT = (
    "# Written by ai_coding: builds the program below again, byte for byte. "
    "Commit it, do not edit it."
)
_RISKY = frozenset({*map(chr, range(0x20)), "\x7f", "\ufeff"} - {"\t", "\n"})
_ESCAPES = str.maketrans(
    {char: f"\\u{ord(char):04x}" for char in _RISKY} | {"\\": "\\\\", '"': '\\"', "\r": "\\r"}
)


@dataclass(frozen=True)
class Lock:
    """An accepted build.

    asked and judged: what the program was made from and judged by, key -> text or digest.
    digests: path -> digest, in place of texts where the output is committed. cost: US dollars.
    """

    asked: Mapping[str, str]
    judged: Mapping[str, str]
    program: Program
    take: int = 1
    model: str = ""
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    sandbox: str = ""
    passed: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    cost: float = 0.0


def asked(spec: Spec) -> dict[str, str]:
    """All that a model is told of spec: a change here makes the program stale."""
    rows = {
        "name": spec.entry,
        "language": spec.language.name,
        "description": spec.description,
        "interface": spec.interface,
    }
    sections = {
        "requirements": spec.requirements,
        "specs": spec.specs,
        "hints": spec.hints,
        "shared": spec.shared,
    }
    for section, texts in sections.items():
        for key, text in texts.items():
            rows[f"{section} {key}" if key else section] = text
    for use in spec.uses:
        rows[f"uses {use.name}"] = use.interface
    for path, text in spec.context.items():
        rows[f"context {path}"] = digest(text.encode("utf-8"))
    return {key: value for key, value in rows.items() if value}


def judged(spec: Spec, beside: Mapping[str, str]) -> dict[str, str]:
    """All it must pass. beside: the used programs, path to text."""
    rows = {"critics": " ".join(spec.critics), "language": digest(asdict(spec.language))}
    for test in spec.tests:
        copy = {path: digest(data) for path, data in test.copy.items()}
        rows[f"test {test.name}"] = digest({**asdict(test), "copy": copy})
    for path, data in spec.data.items():
        rows[f"data {path}"] = digest(data)
    for path, text in beside.items():
        rows[f"uses {path}"] = digest(text.encode("utf-8"))
    return rows


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """By key: `KEY added`, `KEY removed`, `KEY changed`."""
    found = []
    for key in sorted({*old, *new}):
        if key not in old:
            found.append(f"{key} added")
        elif key not in new:
            found.append(f"{key} removed")
        elif old[key] != new[key]:
            found.append(f"{key} changed")
    return found


def path_for(spec_path: Path) -> Path:
    """`qsort.toml` -> `qsort.lock`, in the same folder."""
    return spec_path.with_suffix(".lock")


def string(text: str, line: bool = False) -> str:
    """TOML for text; line: on one line. UnicodeEncodeError for lone surrogates."""
    text.encode("utf-8")  # only to raise: TOML has no way to write a lone surrogate
    escaped = text.translate(_ESCAPES)
    if line or "\n" not in text:
        escaped = escaped.replace("\n", "\\n").replace("\t", "\\t")
        return f'"{escaped}"'
    if "'''" in text or text.endswith("'") or not _RISKY.isdisjoint(text):
        return f'"""\n{escaped}"""'
    return f"'''\n{text}'''"


def write(lock: Lock, committed: bool = False) -> str:
    """The text of a lock file. The last line seals all the others."""
    cost = f"{lock.cost:.6f}"
    files = lock.program.files
    if committed:
        digests = {path: digest(text.encode("utf-8")) for path, text in files.items()}
        output = _table("digests", {**lock.digests, **digests})
    else:
        output = _table("files", files)
    lines = [
        _COMMENT,
        "version = 1",
        f'asked = "{digest(dict(lock.asked))}"',
        f'judged = "{digest(dict(lock.judged))}"',
        f"entry = {string(lock.program.entry)}",
        f"take = {lock.take}",
        "",
        "[answered]",
        f"model = {string(lock.model)}",
        f"requests = {lock.requests}",
        f"input_tokens = {lock.input_tokens}",
        f"output_tokens = {lock.output_tokens}",
        *([f"cost = {cost}"] if cost != "0.000000" else []),
        "",
        "[tested]",
        f"sandbox = {string(lock.sandbox)}",
        "passed = [",
        *(f"    {string(name, line=True)}," for name in lock.passed),
        "]",
        *_table("asked_for", lock.asked),
        *_table("judged_by", lock.judged),
        *output,
        "",
        "[seal]",
    ]
    body = "".join(f"{line}\n" for line in lines)
    return f'{body}digest = "{digest(body.encode("utf-8"))}"\n'


def read(path: Path) -> Lock | Diagnostic | None:
    """None where there is none, a Diagnostic if damaged; never raises."""
    try:
        raw = path.read_bytes().replace(b"\r\n", b"\n")
    except (FileNotFoundError, ValueError):  # ValueError: no file can have such a name
        return None
    except OSError as failure:
        return _damaged(path, f"it cannot be read: {failure.strerror}")
    # Only the first such line counts: a text in the lock may well hold another one.
    version = re.search(rb"^version = ([0-9]+)$", raw, re.MULTILINE)
    if version and version[1].lstrip(b"0") not in (b"", b"1"):
        message = f"{path.name} was written by a newer ai_coding"
        return error("lock-newer", message, Span(path.name), "update ai_coding")
    body, _, seal = raw.rpartition(b"digest = ")
    if seal != f'"{digest(body)}"\n'.encode("utf-8"):
        return _damaged(path, "its text is not what was sealed")
    try:
        lock = _parse(raw.decode("utf-8"))
    except (ValueError, KeyError, TypeError, RecursionError):
        return _damaged(path, "it is not a whole lock")
    names = [*lock.program.files, *lock.digests]
    if lock.program.entry not in names or any(map(problem, names)) or clashes(names):
        return _damaged(path, "it holds paths that must not be written")
    return lock


def _table(name: str, rows: Mapping[str, str]) -> list[str]:
    lines = ["", f"[{name}]"]
    for key, value in sorted(rows.items()):
        bare = re.fullmatch(r"[A-Za-z0-9_-]+", key)
        lines.append(f"{key if bare else string(key, line=True)} = {string(value)}")
    return lines


def _damaged(path: Path, reason: str) -> Diagnostic:
    help = "restore it from version control, or delete it to build anew"
    return error("lock-damaged", f"{path.name} is damaged: {reason}", Span(path.name), help)


def _parse(text: str) -> Lock:
    """ValueError, KeyError, TypeError or RecursionError for all but a whole lock."""
    data = tomllib.loads(text)
    answered, tested = _of(data["answered"], dict), _of(data["tested"], dict)
    asked_for, judged_by = _texts(data["asked_for"]), _texts(data["judged_by"])
    head = (data["version"], data["asked"], data["judged"])
    if head != (1, digest(asked_for), digest(judged_by)):
        raise ValueError("the head of the lock does not fit its tables")
    return Lock(
        asked=asked_for,
        judged=judged_by,
        program=Program(_texts(data.get("files", {})), _of(data["entry"], str)),
        take=_of(data["take"], int),
        model=_of(answered["model"], str),
        requests=_of(answered["requests"], int),
        input_tokens=_of(answered["input_tokens"], int),
        output_tokens=_of(answered["output_tokens"], int),
        sandbox=_of(tested["sandbox"], str),
        passed=tuple(_of(name, str) for name in _of(tested["passed"], list)),
        digests=_texts(data.get("digests", {})),
        cost=_of(answered.get("cost", 0.0), float),
    )


def _texts(table: object) -> dict[str, str]:
    return {key: _of(value, str) for key, value in _of(table, dict).items()}


def _of(value: object, kind: type[_T]) -> _T:
    """The value if it is of that kind, else TypeError. A bool is no int here."""
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(f"not of type {kind.__name__}")
    return value
