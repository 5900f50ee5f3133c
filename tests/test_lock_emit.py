"""The lock gives back every byte, or says that it is damaged; emit writes all files or none."""

import json
import tomllib
from pathlib import Path

import pytest
import tomlkit
from ai_coding import emit, lock
from ai_coding.diagnostic import Diagnostic
from ai_coding.ir import Message, Program, Request, digest
from ai_coding.lock import Lock
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

TEXT = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("'\"\\\r\n\t\x00\x7f\ufeff ")))


def make(text: str, name: str = "p.py") -> Lock:
    return Lock({"requirements": text}, {f"test {text}": "x"}, Program({name: text}, name), passed=(text,))


@given(TEXT)
@example("\r\n")
@example("\n\nlead")
@example("'''")
@example("ends with '")
@example('"""')
@example("back\\slash \\u0041 \\")
@example("trailing  \t \nno newline")
@example("a\rb\r\nc\n")
@example("\ufeffbom")
def test_any_text_survives_program_lock_emit(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("lock")
    path, written = folder / "p.lock", lock.write(make(text))
    path.write_bytes(written.encode())
    found = lock.read(path)
    assert found == make(text)
    assert tomlkit.parse(written).unwrap()["files"]["p.py"] == text, "another reader reads it so too"
    emit.emit(emit.targets(found.program, folder), folder / "record")
    assert (folder / "p.py").read_bytes() == text.encode()
    path.write_bytes(written.encode().replace(b"\n", b"\r\n"))
    assert lock.read(path) == make(text), "line ends changed by version control are no damage"


def test_lone_surrogates_cannot_be_locked() -> None:
    with pytest.raises(UnicodeEncodeError):
        lock.string("\ud800")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_goes_unnoticed(tmp_path: Path, data: st.DataObject) -> None:
    """Any change of any byte, and any cut, is an error and never another program."""
    raw = bytearray(lock.write(make("print('Fizz')\n")).encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw[at] ^= data.draw(st.integers(1, 255))
    else:
        del raw[at:]
    path = tmp_path / "p.lock"
    path.write_bytes(raw)
    found = lock.read(path)
    assert isinstance(found, Diagnostic) and found.code in ("lock-damaged", "lock-newer") and found.help


def test_a_newer_lock_says_so(tmp_path: Path) -> None:
    path = tmp_path / "p.lock"
    path.write_text(lock.write(make("x")).replace("version = 1", "version = 2"))
    found = lock.read(path)
    assert isinstance(found, Diagnostic) and found.code == "lock-newer"


def test_a_sealed_lock_with_hostile_paths_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.lock"
    path.write_text(lock.write(make("x", "../p.py")))
    found = lock.read(path)
    assert isinstance(found, Diagnostic) and found.code == "lock-damaged"


def test_the_digests_are_pinned() -> None:
    """A regenerated tool must not invalidate locks: these values never change."""
    request = Request("manual", 1, {"temperature": 0.5}, (Message("user", "hi"),))
    assert [digest({"b": [1, "é"], "a": None}), Program({"a.py": "x\n"}, "a.py").digest, request.digest] == [
        "sha256:a44633ba036df25280e4fd9ef09da6f54dfe6d3611c755e31f993ab16f108f34",
        "sha256:1e90222405e3141261b3646715fc9b323a40bb3a9fe0c95d2a972cb6d58ba064",
        "sha256:9e167ebe3d386b54c5cae1d6a2afa66f3b160e5e815e4e1d8035936bdd6e7203",
    ]


def test_the_lock_is_readable_toml(tmp_path: Path) -> None:
    text = lock.write(make("print('hi')\n"))
    assert "\nprint('hi')\n" in text
    assert tomllib.loads(text)["files"] == {"p.py": "print('hi')\n"}


def test_emit_is_rolled_forward(tmp_path: Path) -> None:
    """After the commit point the next start finishes; before it nothing happened."""
    a, b = tmp_path / "a", tmp_path / "sub" / "b"
    emit.emit({a: b"1", b: b"2"}, tmp_path / "record")
    assert (a.read_bytes(), b.read_bytes()) == (b"1", b"2")
    staged = tmp_path / ".a.staged"
    staged.write_bytes(b"new")
    assert not emit.recover(tmp_path / "record")
    assert a.read_bytes() == b"1", "staged but not committed"
    (tmp_path / "record").write_text(json.dumps([[str(staged), str(a)], [str(tmp_path / ".gone"), str(b)]]))
    assert emit.recover(tmp_path / "record")
    assert (a.read_bytes(), b.read_bytes()) == (b"new", b"2")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "sub"]


def test_scripts_are_executable(tmp_path: Path) -> None:
    emit.emit({tmp_path / "x.sh": b"#!/bin/sh\n", tmp_path / "y.py": b"pass\n"}, tmp_path / "record")
    assert (tmp_path / "x.sh").stat().st_mode & 0o100 and not (tmp_path / "y.py").stat().st_mode & 0o111


def test_links_and_folders_are_conflicts(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "link.py").symlink_to(elsewhere / "x")
    (out / "sub").symlink_to(elsewhere)
    (out / "folder.py").mkdir()
    files = {out / "link.py": b"x", out / "sub/x.py": b"x", out / "folder.py": b"x", out / "new.py": b"x"}
    assert [d.code for d in emit.conflicts(files, out, set())] == ["emit-link", "emit-link", "emit-folder"]
