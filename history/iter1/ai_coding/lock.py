"""The lock: the committed record of an accepted build, from which every byte of it comes back.

A lock is a TOML file beside its requirement file. It holds what the program was made from and judged by, how it was
made, and the program itself (or, where the output is committed, the digests of its files). Its last line seals all the
others.

In: a `Spec` and the programs that it uses; a `Lock` to write; the path of a lock file to read.
Out: what was asked and judged, and how that changed; the text of a lock file; a `Lock`, or a Diagnostic if damaged.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Program, Spec, Test, digest
from ai_coding.paths import clashes, problem

_VERSION = 1
_COMMENT = "# Written by ai_coding: builds the program below again, byte for byte. Commit it, do not edit it."
_RISKY = frozenset({*range(0x20), 0x7F, 0xFEFF} - {ord("\t"), ord("\n")})
_ESCAPES = {code: f"\\u{code:04x}" for code in _RISKY} | {ord("\r"): "\\r", ord("\\"): "\\\\", ord('"'): '\\"'}
_LINE_ESCAPES = _ESCAPES | {ord("\n"): "\\n", ord("\t"): "\\t"}


@dataclass(frozen=True)
class Lock:
    """An accepted build. asked and judged: what the program was made from and judged by, key -> text or digest.

    digests: path -> digest, in place of texts where the output is committed.
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


def asked(spec: Spec) -> dict[str, str]:
    """All that a model is told of spec: a change here makes the program stale."""
    told = {
        "name": spec.entry,
        "language": spec.language.name,
        "description": spec.description,
        "interface": spec.interface,
    }
    sections = {"requirements": spec.requirements, "specs": spec.specs, "hints": spec.hints, "shared": spec.shared}
    for section, texts in sections.items():
        told |= {(f"{section} {key}" if key else section): text for key, text in texts.items()}
    told |= {f"uses {use.name}": use.interface for use in spec.uses}
    told |= {f"context {path}": digest(text.encode("utf-8")) for path, text in spec.context.items()}
    return {key: text for key, text in told.items() if text}


def judged(spec: Spec, beside: Mapping[str, str]) -> dict[str, str]:
    """All it must pass. beside: the used programs, path to text."""
    passes = {"critics": " ".join(spec.critics), "language": digest(asdict(spec.language))}
    passes |= {f"test {test.name}": _test_digest(test) for test in spec.tests}
    passes |= {f"data {path}": digest(data) for path, data in spec.data.items()}
    passes |= {f"uses {path}": digest(text.encode("utf-8")) for path, text in beside.items()}
    return passes


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """By key: `KEY added`, `KEY removed`, `KEY changed`."""
    found: list[str] = []
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
    text.encode("utf-8")  # only to raise: a lock that cannot be encoded must not get as far as a file
    if line or "\n" not in text:
        return f'"{text.translate(_LINE_ESCAPES)}"'
    if "'''" in text or text.endswith("'") or not _RISKY.isdisjoint(map(ord, text)):
        return f'"""\n{text.translate(_ESCAPES)}"""'
    return f"'''\n{text}'''"


def write(lock: Lock, committed: bool = False) -> str:
    """The text of a lock file. The last line seals all the others."""
    sections = [
        [
            _COMMENT,
            f"version = {_VERSION}",
            f'asked = "{digest(dict(lock.asked))}"',
            f'judged = "{digest(dict(lock.judged))}"',
            f"entry = {string(lock.program.entry, line=True)}",
            f"take = {lock.take}",
        ],
        [
            "[answered]",
            f"model = {string(lock.model, line=True)}",
            f"requests = {lock.requests}",
            f"input_tokens = {lock.input_tokens}",
            f"output_tokens = {lock.output_tokens}",
        ],
        [
            "[tested]",
            f"sandbox = {string(lock.sandbox, line=True)}",
            "passed = [",
            *(f"    {string(name, line=True)}," for name in lock.passed),
            "]",
        ],
        _section("asked_for", lock.asked),
        _section("judged_by", lock.judged),
        _section("digests", _file_digests(lock)) if committed else _section("files", lock.program.files),
        ["[seal]"],
    ]
    body = "\n\n".join("\n".join(lines) for lines in sections) + "\n"
    return body + _seal(body.encode("utf-8"))


def read(path: Path) -> Lock | Diagnostic | None:
    """None where there is none, a Diagnostic if damaged; never raises."""
    try:
        # Version control may have changed the line ends; a CR of a text is always escaped, so none is lost here.
        data = path.read_bytes().replace(b"\r\n", b"\n")
    except (FileNotFoundError, ValueError):  # ValueError: a name that no file can have, as with a NUL in it
        return None
    except OSError as failure:
        return _damaged(path, f"it cannot be read: {failure.strerror}")
    if _is_newer(data):
        message = f"{path.name} was written by a newer ai_coding"
        return error("lock-newer", message, Span(path.name), "update ai_coding")
    if not _is_sealed(data):
        return _damaged(path, "its text is not what was sealed")
    try:
        lock = _parse(data.decode("utf-8"))
    except (ValueError, RecursionError):  # not UTF-8, not TOML, or not all parts; or arrays nested without end
        return _damaged(path, "it is not a whole lock")
    if not _has_safe_paths(lock):
        return _damaged(path, "it holds paths that must not be written")
    return lock


def _test_digest(test: Test) -> str:
    """The digest of a test, in which the copied files, being bytes, are held by theirs."""
    return digest(asdict(test) | {"copy": {path: digest(data) for path, data in test.copy.items()}})


def _file_digests(lock: Lock) -> dict[str, str]:
    """Path -> digest of all files of the program, also of those whose texts the lock does not have."""
    return {**lock.digests, **{path: digest(text.encode("utf-8")) for path, text in lock.program.files.items()}}


def _section(name: str, rows: Mapping[str, str]) -> list[str]:
    """The head of a table and its rows, by key."""
    return [f"[{name}]", *(f"{_key(key)} = {string(rows[key])}" for key in sorted(rows))]


def _key(key: str) -> str:
    """TOML for a key: bare where that is allowed."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else string(key, line=True)


def _seal(body: bytes) -> str:
    """The last line of a lock, from all the bytes before it."""
    return f'digest = "{digest(body)}"\n'


def _is_sealed(data: bytes) -> bool:
    """Whether the last line of data is the seal of all the others."""
    start = data.rfind(b"\n", 0, max(len(data) - 1, 0)) + 1
    return data[start:] == _seal(data[:start]).encode("utf-8")


def _is_newer(data: bytes) -> bool:
    """Whether the first line that tells a version tells one over ours: later ones may be part of a program's text."""
    found = re.search(rb"^version = ([0-9]+)$", data, re.MULTILINE)
    # Compared as text, since int() raises for thousands of digits.
    return found is not None and found[1].lstrip(b"0") not in (b"", str(_VERSION).encode("ascii"))


def _damaged(path: Path, reason: str) -> Diagnostic:
    """The Diagnostic for a lock that gives no program back."""
    help = "restore it from version control, or delete it to build anew"
    return error("lock-damaged", f"{path.name} is damaged: {reason}", Span(path.name), help)


def _has_safe_paths(lock: Lock) -> bool:
    """Whether the entry is one of the paths, and all of them may be written, side by side."""
    held = [*lock.program.files, *lock.digests]
    return lock.program.entry in held and not any(problem(path) for path in held) and not clashes(held)


def _parse(text: str) -> Lock:
    """The lock that text holds. ValueError or RecursionError if it is not TOML, ValueError if a part is missing."""
    document: dict[str, Any] = {"files": {}, "digests": {}, **tomllib.loads(text)}
    if _number(document, "version") != _VERSION:
        raise ValueError("version is of no lock")
    asked_for, judged_by = _rows(document, "asked_for"), _rows(document, "judged_by")
    if (_text(document, "asked"), _text(document, "judged")) != (digest(asked_for), digest(judged_by)):
        raise ValueError("asked and judged are not those of the tables")
    answered, tested = _table(document, "answered"), _table(document, "tested")
    _text(_table(document, "seal"), "digest")  # elsewhere, the last line would be a row of another table
    return Lock(
        asked=asked_for,
        judged=judged_by,
        program=Program(_rows(document, "files"), _text(document, "entry")),
        take=_number(document, "take"),
        model=_text(answered, "model"),
        requests=_number(answered, "requests"),
        input_tokens=_number(answered, "input_tokens"),
        output_tokens=_number(answered, "output_tokens"),
        sandbox=_text(tested, "sandbox"),
        passed=_names(tested, "passed"),
        digests=_rows(document, "digests"),
    )


def _table(parent: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The table at key. ValueError if there is none."""
    value = parent.get(key)
    if not isinstance(value, dict):
        raise ValueError(f"{key} is not a table")
    return value


def _rows(parent: Mapping[str, Any], key: str) -> dict[str, str]:
    """The table at key, all of whose values are texts. ValueError if there is no such table."""
    table = _table(parent, key)
    return {name: _text(table, name) for name in table}


def _text(parent: Mapping[str, Any], key: str) -> str:
    """The text at key. ValueError if there is none."""
    value = parent.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} is not a text")
    return value


def _number(parent: Mapping[str, Any], key: str) -> int:
    """The whole number at key. ValueError if there is none."""
    value = parent.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{key} is not a whole number")
    return value


def _names(parent: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """The array of texts at key. ValueError if there is none."""
    value = parent.get(key)
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{key} is not an array of texts")
    return tuple(value)
