"""The lock: the committed record of an accepted build, from which every byte of it comes back.

In: what a program was made from and judged by, and the program itself; or the path of a lock file.
Out: the text of a lock file, TOML sealed by a digest; or the lock that such a file holds, or a
Diagnostic that says why it cannot be trusted.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ai_coding import paths
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Program, Spec, digest

_T = TypeVar("_T")
_COMMENT = (
    "# Written by ai_coding: builds the program below again, byte for byte. "
    "Commit it, do not edit it."
)
_VERSION = 1
_RISKY = frozenset(map(chr, (*range(0x20), 0x7F, 0xFEFF))) - {"\t", "\n"}
_ESCAPES = str.maketrans(
    {char: f"\\u{ord(char):04x}" for char in _RISKY} | {"\r": "\\r", '"': '\\"', "\\": "\\\\"}
)


@dataclass(frozen=True)
class Lock:
    """An accepted build. take, requests: counts; input_tokens, output_tokens: in tokens.

    asked and judged: what the program was made from and judged by, key -> text or digest.
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
    single = {
        "name": spec.entry,
        "language": spec.language.name,
        "description": spec.description,
        "interface": spec.interface,
    }
    sections: dict[str, Mapping[str, str]] = {
        "requirements": spec.requirements,
        "specs": spec.specs,
        "hints": spec.hints,
        "shared": spec.shared,
        "uses": {use.name: use.interface for use in spec.uses},
        "context": {path: digest(text.encode()) for path, text in spec.context.items()},
    }
    rows = {
        f"{section} {key}" if key else section: text
        for section, texts in sections.items()
        for key, text in texts.items()
    }
    return {key: text for key, text in {**single, **rows}.items() if text}


def judged(spec: Spec, beside: Mapping[str, str]) -> dict[str, str]:
    """All it must pass. beside: the used programs, path to text."""
    rows = {"critics": " ".join(spec.critics), "language": digest(asdict(spec.language))}
    for test in spec.tests:
        copies = {path: digest(data) for path, data in test.copy.items()}
        rows[f"test {test.name}"] = digest({**asdict(test), "copy": copies})
    for path, data in spec.data.items():
        rows[f"data {path}"] = digest(data)
    for path, text in beside.items():
        rows[f"uses {path}"] = digest(text.encode())
    return rows


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """By key: `KEY added`, `KEY removed`, `KEY changed`."""
    found = []
    for key in sorted({**old, **new}):
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
    text.encode()  # TOML cannot hold lone surrogates, not even escaped
    if "\n" in text and not line:
        plain = _RISKY.isdisjoint(text) and "'''" not in text and not text.endswith("'")
        return f"'''\n{text}'''" if plain else f'"""\n{text.translate(_ESCAPES)}"""'
    escaped = text.translate(_ESCAPES).replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def _table(name: str, rows: Mapping[str, str]) -> list[str]:
    """The lines of a table, after an empty one."""
    lines = ["", f"[{name}]"]
    for key, text in sorted(rows.items()):
        bare = re.fullmatch("[A-Za-z0-9_-]+", key)
        lines.append(f"{key if bare else string(key, line=True)} = {string(text)}")
    return lines


def write(lock: Lock, committed: bool = False) -> str:
    """The text of a lock file. The last line seals all the others."""
    files = lock.program.files
    if committed:
        digests = {path: digest(text.encode()) for path, text in files.items()}
        # A committed lock that was read has no texts: its digests are all there is to keep.
        output = _table("digests", digests or lock.digests)
    else:
        output = _table("files", files)
    lines = [
        _COMMENT,
        f"version = {_VERSION}",
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
        "",
    ]
    body = "\n".join(lines)
    return f'{body}digest = "{digest(body.encode())}"\n'


def _unsealed(raw: bytes) -> dict[str, Any]:
    """The tables of a lock. ValueError if its seal is broken or it is not TOML in UTF-8."""
    body, _, seal = raw.rpartition(b"digest = ")
    if not body.endswith(b"\n[seal]\n") or seal != f'"{digest(body)}"\n'.encode():
        raise ValueError("its text is not what was sealed")
    return {"files": {}, "digests": {}, **tomllib.loads(raw.decode())}


def _part(table: Mapping[str, Any], key: str, kind: type[_T]) -> _T:
    """The value of key. ValueError if it is missing or of another kind."""
    value: object = table.get(key)
    # A bool is an int to Python, but not in a lock.
    if isinstance(value, bool) or not isinstance(value, kind):
        raise ValueError(f"its `{key}` is missing or of a wrong type")
    return value


def _rows(data: Mapping[str, Any], name: str) -> dict[str, str]:
    table = _part(data, name, dict)
    return {key: _part(table, key, str) for key in table}


def _whole(data: Mapping[str, Any]) -> Lock:
    """The lock that data makes. ValueError, saying what is wrong, if it is not a whole one."""
    if _part(data, "version", int) != _VERSION:
        raise ValueError("its version is unknown")
    answered = _part(data, "answered", dict)
    tested = _part(data, "tested", dict)
    passed = _part(tested, "passed", list)
    if not all(isinstance(name, str) for name in passed):
        raise ValueError("its `passed` holds more than names of tests")
    lock = Lock(
        asked=_rows(data, "asked_for"),
        judged=_rows(data, "judged_by"),
        program=Program(_rows(data, "files"), _part(data, "entry", str)),
        take=_part(data, "take", int),
        model=_part(answered, "model", str),
        requests=_part(answered, "requests", int),
        input_tokens=_part(answered, "input_tokens", int),
        output_tokens=_part(answered, "output_tokens", int),
        sandbox=_part(tested, "sandbox", str),
        passed=tuple(passed),
        digests=_rows(data, "digests"),
    )
    for name, rows in (("asked", lock.asked), ("judged", lock.judged)):
        if _part(data, name, str) != digest(rows):
            raise ValueError(f"its `{name}` is not the digest of the rows it stands for")
    written = {**lock.program.files, **lock.digests}
    unsafe = any(map(paths.problem, written)) or bool(paths.clashes(written))
    if unsafe or lock.program.entry not in written:
        raise ValueError("it holds paths that must not be written")
    return lock


def read(path: Path) -> Lock | Diagnostic | None:
    """None where there is none, a Diagnostic if damaged; never raises."""
    span = Span(path.name)
    try:
        raw = path.read_bytes().replace(b"\r\n", b"\n")
        # Only the first such line is the lock's own: others may be in the texts of the program.
        version = re.search(rb"^version = ([1-9][0-9]*)$", raw, re.MULTILINE)
        if version and version[1] != b"%d" % _VERSION:
            message = f"{path.name} was written by a newer ai_coding"
            return error("lock-newer", message, span, "update ai_coding")
        return _whole(_unsealed(raw))
    except FileNotFoundError:
        return None
    except OSError as failure:
        reason = f"it cannot be read: {failure.strerror}"  # str(failure) would name the folder
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError as failure:
        reason = str(failure)
    way_out = "restore it from version control, or delete it to build anew"
    return error("lock-damaged", f"{path.name} is damaged: {reason}", span, way_out)
