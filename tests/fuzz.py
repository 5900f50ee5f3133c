"""Fuzzes what reads foreign text: python tests/fuzz.py SECONDS [SEED] [KIND …].

Each kind gets its share of the time. Nothing may raise, nothing may be written outside the folder, and what is written
has to be read back as it was. It prints how many inputs of each kind were tried, how many different answers they gave
(a fuzzer that sees one error only tries nothing), and the first failure of each, minimised.
"""

import contextlib
import io
import json
import os
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from unittest import mock

import tomlkit
from ai_coding import edits, emit, journal, lock, markdown, paths, reply, workspace
from ai_coding.cli import main as command
from ai_coding.diagnostic import Diagnostic
from ai_coding.ir import Language, Program, digest
from ai_coding.lock import Lock
from ai_coding.markdown import Block
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parent.parent
SOURCES = [*sorted((ROOT / "examples").glob("*.toml")), *sorted((ROOT / "self").glob("*.toml"))]
# Without what they use: those files are not there.
EXAMPLES = [re.sub(r"(?m)^(uses|context|copy) = \[[^]]*\]", "", path.read_text()) for path in SOURCES]
PYTHON = Language("python", "py", ("py", "python3"))
ROUND = 200  # inputs before the clock is looked at

SIGNS = st.sampled_from(
    [*"[]{}=.,\"'#\n\t \r\\-_:/é0", '"""', "'''", "[[", "]]", "\r\n", "\ufeff", "\x00", "\u2028", "\\u0000", "e\u0301"]
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("'\"\\\r\n\t\x00\x7f\ufeff `~"), max_size=40)
NAMES = st.sampled_from(
    "file project requirements specs hints build model tests workspace name language extension description interface "
    "uses context copy args stdin env files command covers stdout stdout_matches stderr_matches exit_code creates "
    "timeout held_out strategy attempts critics committed members root output data temperature "
    "max_tokens seed R1".split()
)
VALUES = st.recursive(
    st.one_of(
        st.integers(),
        st.booleans(),
        st.floats(),
        TEXT,
        st.datetimes(),
        st.sampled_from(
            ["python", "c", "x.toml", "*.toml", "..", ".", "../x", "out", "direct", "syntax", "(", "x" * 300]
        ),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | TEXT, inner, max_size=4),
    max_leaves=10,
)
WHOLE = st.fixed_dictionaries(
    {"file": st.fixed_dictionaries({"name": TEXT | st.just("x"), "language": st.sampled_from(["python", "c", "x"])})},
    optional={
        "requirements": VALUES | TEXT,
        "project": st.dictionaries(NAMES, VALUES, max_size=5),
        "build": st.dictionaries(NAMES, VALUES, max_size=3),
        "model": st.dictionaries(NAMES, VALUES, max_size=3),
        "workspace": st.dictionaries(NAMES, VALUES, max_size=4),
        "tests": st.lists(st.dictionaries(NAMES, VALUES, max_size=4), max_size=3),
    },
)
PATHS = st.one_of(
    st.sampled_from(
        ["a.py", "b.py", "B.py", "d/a.py", "../a.py", "/a.py", "d", "d/../../a", "nul", ".git/x", "a\\b", ""]
    ),
    st.lists(st.sampled_from([".", "..", "a", "A", "/", "\\", " ", ":", "con", "é", "e\u0301", "\u202e", "\0"])).map(
        "".join
    ),
)
FENCES = st.sampled_from(["```", "````", "~~~", " ```", "    ```", "`````", "```\r", "> ```"])
WORDS = st.sampled_from(["python", "py", "search", "replace", "SEARCH", "", "n=1", "{x}", "text"])
LINES = st.sampled_from(["x = 1", "y", "", "```", "é", "\t", "x = 1 ", "````", "~~~", "<<<<<<<"])


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """An example with a few pieces cut, repeated, moved, or put in."""
    text = draw(st.sampled_from(EXAMPLES))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        new = draw(st.one_of(st.just(""), SIGNS, TEXT, NAMES, st.just(text[start:end] * 2)))
        text = text[:start] + new + text[end:]
    data = text.encode()
    return data.replace(b"\n", b"\r\n") if draw(st.booleans()) else data


def generated(values: dict[str, object]) -> bytes:
    try:
        return tomlkit.dumps(values).encode("utf-8", "replace")
    except (ValueError, TypeError, tomlkit.exceptions.TOMLKitError):
        return b""


@st.composite
def block(draw: st.DrawFn) -> str:
    fence, body = draw(FENCES), "\n".join(draw(st.lists(LINES, max_size=4)))
    return f"{fence}{draw(WORDS)} {draw(PATHS)}\n{body}\n{draw(st.one_of(st.just(fence), FENCES))}\n"


REQUIREMENTS = (
    mutated() | WHOLE.map(generated) | st.binary(max_size=200) | st.lists(SIGNS | NAMES).map("".join).map(str.encode)
)
REPLIES = st.lists(block() | LINES.map("{}\n".format), max_size=6).map("".join) | st.text(max_size=100)
LOCKS = st.builds(
    Lock,
    asked=st.dictionaries(TEXT, TEXT, max_size=3),
    judged=st.dictionaries(TEXT, TEXT, max_size=3),
    program=st.dictionaries(PATHS | TEXT, TEXT, min_size=1, max_size=3).map(
        lambda files: Program(files, next(iter(files)))
    ),
    take=st.integers(-(2**63), 2**63 - 1),
    model=TEXT,
    requests=st.integers(0, 9),
    sandbox=TEXT,
    passed=st.lists(TEXT, max_size=3).map(tuple),
    cost=st.integers(0, 10**9).map(lambda millionths: millionths / 1e6),
)


def codes(found: Iterable[Diagnostic]) -> str:
    return " ".join(sorted({diagnostic.code for diagnostic in found}))


def requirement_files(folder: Path, data: bytes) -> str:
    """One file alone, and beside a workspace; and the same through the command line."""
    (folder / "x.toml").write_bytes(data)
    specs, found = workspace.load([folder])
    for diagnostic in found:
        assert len(str(diagnostic)) < 100_000 and json.dumps(str(diagnostic))
    assert specs or found
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert command(["check", str(folder / "x.toml")]) in (0, 2)
    for spec in specs:
        assert digest(lock.asked(spec)) and digest(lock.judged(spec, {})) and not paths.problem(spec.name)
        made = Lock(lock.asked(spec), lock.judged(spec, {}), Program({spec.entry: "x\n"}, spec.entry))
        (folder / "x.lock").write_text(lock.write(made), encoding="utf-8", newline="")
        assert lock.read(folder / "x.lock") == made
    return codes(found) or "fine"


def replies(folder: Path, case: tuple[str, bool]) -> str:
    """The program of a reply can be written, below the folder, and what is written is what was read."""
    text, repaired = case
    base = Program({"a.py": "x = 1\ny\n", "d/b.py": "x = 1\n"}, "a.py") if repaired else None
    program, found = reply.read(text, "a.py", PYTHON, base)
    assert (program is None) == any(diagnostic.severity == "error" for diagnostic in found)
    if program is None:
        return codes(found)
    files = emit.targets(program, folder / "out")
    if not emit.conflicts(files, folder / "out", set()):
        emit.emit(files, folder / "record")
        for path, data in files.items():
            assert path.read_bytes() == data and path.resolve().is_relative_to(folder / "out")
        assert sum(1 for path in (folder / "out").rglob("*") if path.is_file()) == len(files)
    return f"{len(files)} files"


def fences(folder: Path, case: tuple[list[str], str]) -> str:
    """What lies between fences comes out as it went in, and edits of it are made exactly or not at all."""
    lines, path = case
    text = "".join(f"{line}\n" for line in lines)
    blocks, unclosed = markdown.blocks(f"before\n``````` python {path}\n{text}```````\n")
    assert (len(blocks), unclosed) == (1, 0) and blocks[0].text == text or "\n" in path or "`" in path
    halves = [Block(1, "search", text), Block(9, "replace", "new\n")]
    changes, others = edits.read(halves, "a.py")
    after, errors = edits.apply(changes, {"a.py": f"{text}end\n"})
    assert others == [] and (after["a.py"] == "new\nend\n" or errors)
    return codes(errors) or "edited"


def lock_files(folder: Path, case: tuple[Lock, bytes, int]) -> str:
    """What was written is read; what was damaged is told; version control may change line ends."""
    made, noise, at = case
    names = list(made.program.files)
    text = lock.write(made).encode()
    hostile = any(map(paths.problem, names)) or bool(paths.clashes(names))
    for raw in (text, text.replace(b"\n", b"\r\n")):
        (folder / "x.lock").write_bytes(raw)
        found = lock.read(folder / "x.lock")
        assert isinstance(found, Diagnostic) if hostile else found == made, found
    at %= len(text)
    damaged = text[:at] + noise + text[at + len(noise) :]
    (folder / "x.lock").write_bytes(damaged)
    found = lock.read(folder / "x.lock")
    assert isinstance(found, Diagnostic) or damaged.replace(b"\r\n", b"\n") == text.replace(b"\r\n", b"\n")
    # One that somebody sealed: whatever it holds, it is a lock or a fault.
    body = damaged[: damaged.rfind(b"digest = ")] if b"digest = " in damaged else damaged
    (folder / "x.lock").write_bytes(body + f'digest = "{digest(body)}"\n'.encode())
    sealed = lock.read(folder / "x.lock")
    if isinstance(sealed, Lock):
        assert not any(map(paths.problem, sealed.program.files)) and sealed.program.entry in sealed.program.files
    return ("hostile " if hostile else "") + (sealed.code if isinstance(sealed, Diagnostic) else "lock")


def journal_entries(folder: Path, case: tuple[object, bytes, int]) -> str:
    """What was put is got; a damaged entry is a miss, and told."""
    value, noise, at = case
    key = digest(b"key")
    journal.put(folder, "replies", key, value)
    assert journal.get(folder, "replies", key) == value
    (entry,) = (folder / "replies").glob("*/*")
    whole = entry.read_bytes()
    at %= len(whole) + 1
    damaged = whole[:at] + noise + whole[at + len(noise) :]
    entry.write_bytes(damaged)
    with mock.patch("logging.Logger.warning") as warned:
        found = journal.get(folder, "replies", key)
    assert found == value if damaged == whole else found is None
    assert warned.called == (damaged != whole)
    state = {"version": "1", "entry": "x", "seen": value, "open": False}
    journal.put(folder, "units", journal.unit(folder / "x", folder), state)
    assert journal.fresh(folder, folder / "x", folder, "1") in ("", "x")
    return "whole" if damaged == whole else "damaged"


def emitted(folder: Path, case: tuple[dict[str, bytes], dict[str, bytes], bool]) -> str:
    """All files are written or none, whatever was there."""
    before, after, keep = case
    for name, data in before.items():
        if paths.problem(name):
            continue
        with contextlib.suppress(OSError, ValueError):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
    files = {folder / name: data for name, data in after.items() if not paths.problem(name)}
    if paths.clashes(after):
        return "clash"
    found = emit.conflicts(files, folder, {digest(data) for data in before.values()})
    old = {path: path.read_bytes() for path in files if path.is_file()}
    try:
        copies = emit.emit(files, folder.parent / "record", list(files) if keep else [])
    except OSError:
        assert {path: path.read_bytes() for path in files if path.is_file()} == old
        return codes(found) or "refused"
    assert all(path.read_bytes() == data for path, data in files.items())
    assert not keep or {path.read_bytes() for path in copies} == {d for p, d in old.items() if d != files[p]}
    assert not list(folder.rglob("*.staged")) and not (folder.parent / "record").exists()
    return codes(found) or "written"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NOISE, PLACE = st.binary(max_size=6), st.integers(0, 10_000)
FILES = st.dictionaries(PATHS, st.sampled_from([b"", b"x", b"x\r\n", b"x\n", b"#!/bin/sh\n"]), max_size=4)
KINDS: dict[str, tuple[Callable[[Path, object], str], st.SearchStrategy[object]]] = {
    "requirement files": (requirement_files, REQUIREMENTS),  # type: ignore[dict-item]
    "replies": (replies, st.tuples(REPLIES, st.booleans())),  # type: ignore[dict-item]
    "fences and edits": (fences, st.tuples(st.lists(LINES, max_size=5), PATHS)),  # type: ignore[dict-item]
    "locks": (lock_files, st.tuples(LOCKS, NOISE, PLACE)),  # type: ignore[dict-item]
    "journal entries": (journal_entries, st.tuples(JSON, NOISE, PLACE)),  # type: ignore[dict-item]
    "emitted files": (emitted, st.tuples(FILES, FILES, st.booleans())),  # type: ignore[dict-item]
}


def outside(folder: Path) -> set[str]:
    """The names around the folder in which an input is tried."""
    return {path.name for path in folder.parent.iterdir()} - {folder.name}


def fuzz(kind: str, seconds: float, start: int, folder: Path) -> tuple[Counter[str], str]:
    """How often each answer came, and the first failure, minimised, or ""."""
    attempt, inputs = KINDS[kind]
    seen, failure, end, number = Counter[str](), "", time.monotonic() + seconds, start

    def one(case: object) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as around:
            inner = Path(os.path.realpath(around), "inner")
            inner.mkdir()
            journal_before = os.environ.get("AI_CODING_JOURNAL")
            os.environ["AI_CODING_JOURNAL"] = str(inner / "journal")
            try:
                seen[attempt(inner, case)] += 1
            finally:
                os.environ["AI_CODING_JOURNAL"] = journal_before or ""
            assert outside(inner) == set(), f"written outside the folder: {outside(inner)}"

    while time.monotonic() < end and not failure:
        number += 1
        run = settings(
            max_examples=ROUND,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.target, Phase.shrink],
        )(seed(number)(given(inputs)(one)))
        try:
            run()
        except Exception as problem:
            notes = "\n".join(getattr(problem, "__notes__", []))
            failure = f"seed {number}\n{notes}\n" + "".join(traceback.format_exception(problem)[-6:])
    return seen, failure


def main() -> int:
    seconds, first, *chosen = (*sys.argv[1:], *("60", "1")[len(sys.argv) - 1 :])
    kinds = chosen or list(KINDS)
    code = 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for kind in kinds:
            seen, failure = fuzz(kind, float(seconds) / len(kinds), int(first) * 1_000_000, Path(folder))
            print(f"{sum(seen.values()):9,} {kind}, {len(seen)} different answers", flush=True)
            for answer, number in seen.most_common(8):
                print(f"{number:17,} {answer[:80]}")
            if failure:
                code = 1
                print(f"FAILED {kind}: {failure}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
