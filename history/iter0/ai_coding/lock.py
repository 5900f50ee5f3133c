"""The lock: the committed record of an accepted build.

In: a Spec and the program that was accepted for it. Out: a TOML text that gives every byte of it back,
and why a Spec is no longer what was built.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ai_coding import paths
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Program, Spec, digest

VERSION = 1


@dataclass(frozen=True)
class Lock:
    """asked and judged: what the program was made from and judged by, key -> text or digest.

    digests: of the files, path -> digest, where the lock holds no text because the output itself is committed.
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
    """All that a model is told of spec: a change of a value here makes the program stale."""
    told = {"name": spec.entry, "language": spec.language.name, "description": spec.description}
    for section in ("requirements", "specs", "hints"):
        told |= {f"{section} {key}".strip(): text for key, text in getattr(spec, section).items()}
    told |= {f"shared {key}": text for key, text in spec.shared.items()}
    told |= {"interface": spec.interface} | {f"uses {use.name}": use.interface for use in spec.uses}
    told |= {f"context {path}": digest(text.encode()) for path, text in spec.context.items()}
    return {key: text for key, text in told.items() if text}


def judged(spec: Spec, beside: Mapping[str, str]) -> dict[str, str]:
    """All that a program of spec must pass: a change here makes it be judged again. beside: the used programs."""
    rules = {"critics": " ".join(spec.critics), "language": digest(asdict(spec.language))}
    for test in spec.tests:
        row = asdict(test) | {"copy": {path: digest(data) for path, data in test.copy.items()}}
        rules[f"test {test.name}"] = digest(row)
    rules |= {f"data {path}": digest(data) for path, data in spec.data.items()}
    return rules | {f"uses {path}": digest(text.encode()) for path, text in beside.items()}


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """The keys whose values differ, with how: `requirements R1 changed`."""
    return [
        f"{key} {'added' if key not in old else 'removed' if key not in new else 'changed'}"
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]


def path_for(spec_path: Path) -> Path:
    """`qsort.toml` -> `qsort.lock`, in the same folder."""
    return spec_path.with_suffix(".lock")


def string(text: str, line: bool = False) -> str:
    r"""A TOML string that every reader turns back into text, readable where it can be.

    Line breaks other than LF, control characters and quotes at risk are escaped; line: keep it on one line.
    Raises UnicodeEncodeError for lone surrogates, which no TOML file can hold.
    """
    text.encode()
    risky = re.search(r"[\x00-\x08\x0b-\x1f\x7f\ufeff]|'''|'\Z", text)
    if "\n" in text and not risky and not line:
        return f"'''\n{text}'''"
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r")
    quoted = re.sub(r"[\x00-\x08\x0b-\x1f\x7f\ufeff]", lambda m: f"\\u{ord(m[0]):04x}", quoted)
    if "\n" in text and not line:
        return f'"""\n{quoted}"""'
    return '"' + quoted.replace("\n", "\\n").replace("\t", "\\t") + '"'


def _key(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else string(text, line=True)


def write(lock: Lock, committed: bool = False) -> str:
    """The text of a lock file. The last line seals all the others. committed: digests in place of the files' texts."""
    scalars = {"asked": digest(dict(lock.asked)), "judged": digest(dict(lock.judged)), "entry": lock.program.entry}
    lines = ["# Written by ai_coding: builds the program below again, byte for byte. Commit it, do not edit it."]
    lines += [f"version = {VERSION}", *(f"{key} = {string(value)}" for key, value in scalars.items())]
    lines += [f"take = {lock.take}", "", "[answered]", f"model = {string(lock.model)}"]
    lines += [f"{key} = {getattr(lock, key)}" for key in ("requests", "input_tokens", "output_tokens")]
    files = ("files", lock.program.files)
    if committed:
        files = ("digests", {path: digest(text.encode()) for path, text in lock.program.files.items()})
    lines += ["", "[tested]", f"sandbox = {string(lock.sandbox)}", "passed = ["]
    lines += [*(f"    {string(name)}," for name in lock.passed), "]"]
    for title, table in (("asked_for", lock.asked), ("judged_by", lock.judged), files):
        lines += ["", f"[{title}]", *(f"{_key(key)} = {string(table[key])}" for key in sorted(table))]
    text = "\n".join([*lines, "", "[seal]", ""])
    return text + f'digest = "{digest(text.encode())}"\n'


def read(path: Path) -> Lock | Diagnostic | None:
    """The lock at path, None if there is none, a Diagnostic if it is damaged: never a wrong program."""
    try:
        data = path.read_bytes().replace(b"\r\n", b"\n")
        text, _, seal = data.decode().rpartition("digest = ")
        version = re.search(r"(?m)^version = (\d+)$", text)
        if version and int(version[1]) > VERSION:
            return error(
                "lock-newer", f"{path.name} was written by a newer ai_coding", Span(path.name), "update ai_coding"
            )
        if seal != f'"{digest(text.encode())}"\n':
            raise ValueError("its text is not what was sealed")
        values = tomllib.loads(text)
        files, digests = values.get("files", {}), values.get("digests", {})
        names = [*files, *digests]
        if any(map(paths.problem, names)) or paths.clashes(names) or values["entry"] not in names:
            raise ValueError("it holds paths that must not be written")
        answered, tested = values["answered"], values["tested"]
        return Lock(
            values["asked_for"], values["judged_by"], Program(files, values["entry"]), values["take"],
            answered["model"], answered["requests"], answered["input_tokens"], answered["output_tokens"],
            tested["sandbox"], tuple(tested["passed"]), digests,
        )  # fmt: skip
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        help = "restore it from version control, or delete it to build anew"
        return error("lock-damaged", f"{path.name} is damaged: {e}", Span(path.name), help)
