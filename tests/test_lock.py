"""The lock gives back every byte, or says that it is damaged; its form and its digests never change."""

from dataclasses import replace
from pathlib import Path

import pytest
import tomlkit
from ai_coding import ir, lock
from ai_coding.diagnostic import Diagnostic, Span
from ai_coding.ir import Program, Spec, Use, digest
from ai_coding.lock import Lock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TEXT = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("'\"\\\r\n\t\x00\x7f\ufeff ")))
QUOTES = "'" * 3
FULL = Lock(
    asked={"requirements R1": "Print Fizz.", "name": "fizz.py"},
    judged={"test prints": "sha256:1", "critics": "syntax tests"},
    program=Program({"fizz.py": "print('Fizz')\n", "data/é.txt": QUOTES + "\r\n\x00", "A": "digest = 1"}, "fizz.py"),
    take=3, model="manual", requests=2, input_tokens=1200, output_tokens=34, sandbox="none", passed=("prints", "also"),
)  # fmt: skip
FULL_TEXT = r'''# Written by ai_coding: builds the program below again, byte for byte. Commit it, do not edit it.
version = 1
asked = "sha256:b89d93f622f3ebd9ce8407af09dce28d95492d28c75f5b31ad8e514ae2846e6a"
judged = "sha256:c039105b812ee0be50f2c5c28a4f347a5c568a2c8b1eb65803112395f9c37326"
entry = "fizz.py"
take = 3

[answered]
model = "manual"
requests = 2
input_tokens = 1200
output_tokens = 34

[tested]
sandbox = "none"
passed = [
    "prints",
    "also",
]

[asked_for]
name = "fizz.py"
"requirements R1" = "Print Fizz."

[judged_by]
critics = "syntax tests"
"test prints" = "sha256:1"

[files]
A = "digest = 1"
"data/é.txt" = """
QUOTES\r
\u0000"""
"fizz.py" = QUOTES
print('Fizz')
QUOTES

[seal]
digest = "sha256:c2ec7d63ab25e52e8ae25ee902cd03a1c1ad5f2d8eae24186b6d630658d08210"
'''.replace("QUOTES", QUOTES)
SPEC = Spec(
    Path("p.toml"), "sub/p", ir.Language("python", "py", ("py",), ("check",), (), ("python3", "{entry}")),
    {"": "All.", "R1": "One."}, description="Says", specs={"S1": "Spec."}, hints={"": "Hint.", "H2": ""},
    interface="def p(): ...", uses=(Use(Path("q.toml"), "q", "def q(): 1"), Use(Path("r.toml"), "r", "")),
    context={"c.sql": "é"}, shared={"hints": "Style"}, data={"d.toml": b"\xff"}, critics=("syntax", "tests"),
    tests=(ir.Test("t", ("R1",), ("1",), copy={"x": b"\xff"}, stdout="1\n"),),
)  # fmt: skip
ASKED = {
    "name": "sub/p.py", "language": "python", "description": "Says", "requirements": "All.", "requirements R1": "One.",
    "specs S1": "Spec.", "hints": "Hint.", "shared hints": "Style", "interface": "def p(): ...", "uses q": "def q(): 1",
    "context c.sql": "sha256:4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c",
}  # fmt: skip
JUDGED = {
    "critics": "syntax tests", "language": "sha256:7b7911c71176f7734359958021478a9e2389d96cc1f547affd26551c120b7b59",
    "test t": "sha256:1a2d7fbc6fc032497b20d1cd94ff68bfba208710c4250235438db6d78700878e",
    "uses q.py": "sha256:edd3a863872a04239eb29ad4bc12fc892b3d4ae57cc7e786a3697816f8e141c2",
    "data d.toml": "sha256:a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89",
}  # fmt: skip
STRINGS = [  # text, as it is written, and so on one line
    ("", '""', '""'), ("it's", '"it\'s"', '"it\'s"'), ("\tx", r'"\tx"', r'"\tx"'), ('"\\', r'"\"\\"', r'"\"\\"'),
    ("\r\x00\x08\x0b", r'"\r\u0000\u0008\u000b"', r'"\r\u0000\u0008\u000b"'),
    ("\x1f\x7f\ufeff", r'"\u001f\u007f\ufeff"', r'"\u001f\u007f\ufeff"'),
    ("é\x80\u2028", '"é\x80\u2028"', '"é\x80\u2028"'), ("\n", QUOTES + "\n\n" + QUOTES, r'"\n"'),
    ("'a\n\t\"\\''b", QUOTES + "\n'a\n\t\"\\''b" + QUOTES, '"\'a\\n\\t\\"\\\\\'\'b"'),
    ("a\n" + QUOTES + "b", '"""\na\n' + QUOTES + 'b"""', r'"a\n' + QUOTES + 'b"'),
    ("a\nb'", '"""\na\nb\'"""', '"a\\nb\'"'), ("'\n'\n", QUOTES + "\n'\n'\n" + QUOTES, '"\'\\n\'\\n"'),
    ('a\t\n"\\\r\x01', '"""\na\t\n\\"\\\\\\r\\u0001"""', r'"a\t\n\"\\\r\u0001"'),
    ("a\n\x7f", '"""\na\n\\u007f"""', r'"a\n\u007f"'), ("a\n\ufeff", '"""\na\n\\ufeff"""', r'"a\n\ufeff"'),
]  # fmt: skip


def make(text: str) -> Lock:
    return Lock({"requirements": text}, {f"test {text}": "x"}, Program({"p.py": text}, "p.py"), passed=(text,))


def read(folder: Path, data: bytes) -> Lock | Diagnostic | None:
    (folder / "p.lock").write_bytes(data)
    return lock.read(folder / "p.lock")


def damaged(found: object, reason: str = "") -> bool:
    assert isinstance(found, Diagnostic)
    help = "restore it from version control, or delete it to build anew"
    expected = Diagnostic("error", "lock-damaged", f"p.lock is damaged: {reason}", Span("p.lock"), help)
    return found == expected if reason else found == replace(expected, message=found.message)


def test_the_text_of_a_lock_never_changes(tmp_path: Path) -> None:
    """A regenerated tool must read and write the same locks."""
    assert lock.write(FULL) == FULL_TEXT
    assert lock.path_for(tmp_path / "p.lock.toml") == tmp_path / "p.lock.lock"
    assert lock.read(tmp_path / "missing" / "p.lock") is None
    assert read(tmp_path, FULL_TEXT.encode()) == FULL
    least = Lock({}, {}, Program({"p": ""}, "p"), 1, "", 0, 0, 0, "", (), {})
    assert read(tmp_path, lock.write(least).encode()) == least == Lock({}, {}, least.program)


def test_a_committed_lock_holds_digests_in_place_of_texts(tmp_path: Path) -> None:
    text = lock.write(FULL, committed=True)
    digests = {path: digest(text.encode()) for path, text in FULL.program.files.items()}
    rows = [f'{path} = "{digests[path.strip(chr(34))]}"\n' for path in ("A", '"data/é.txt"', '"fizz.py"')]
    body = "".join([FULL_TEXT[: FULL_TEXT.index("[files]")], "[digests]\n", *rows, "\n[seal]\n"])
    assert text == f'{body}digest = "{digest(body.encode())}"\n'
    assert read(tmp_path, text.encode()) == replace(FULL, program=Program({}, "fizz.py"), digests=digests)


def test_what_it_cost_stands_in_the_lock_if_it_is_known(tmp_path: Path) -> None:
    text = lock.write(replace(FULL, cost=0.0123))
    assert text.replace("cost = 0.012300\n", "").splitlines()[:-1] == FULL_TEXT.splitlines()[:-1]
    assert "output_tokens = 34\ncost = 0.012300\n\n[tested]" in text
    assert read(tmp_path, text.encode()) == replace(FULL, cost=0.0123)
    assert "cost" not in lock.write(replace(FULL, cost=4e-7)) and "cost = 12.000000\n" in lock.write(
        replace(FULL, cost=12)
    )


def test_names_of_tests_stand_on_one_line() -> None:
    text = lock.write(Lock({}, {}, Program({}, "p"), passed=("two\nlines", "tab\t'")))
    assert 'passed = [\n    "two\\nlines",\n    "tab\\t\'",\n]\n' in text


@settings(derandomize=True, deadline=None)
@given(TEXT | st.sampled_from([row[0] for row in STRINGS]))
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder, written = tmp_path_factory.mktemp("lock"), lock.write(make(text)).encode()
    assert read(folder, written) == make(text)
    assert tomlkit.parse(written).unwrap()["files"]["p.py"] == text, "another reader reads it so too"
    assert read(folder, written.replace(b"\n", b"\r\n")) == make(text), "version control may change line ends"
    assert tomlkit.parse(f"a = {lock.string(text, line=True)}").unwrap() == {"a": text}


@pytest.mark.parametrize(("text", "written", "on_one_line"), STRINGS)
def test_strings_are_as_readable_as_they_can_be(text: str, written: str, on_one_line: str) -> None:
    assert (lock.string(text), lock.string(text, line=True)) == (written, on_one_line)
    with pytest.raises(UnicodeEncodeError):
        lock.string(f"{text}\ud800")


def test_what_is_asked_and_judged_and_nothing_else_makes_a_program_stale() -> None:
    other = replace(SPEC, path=Path("x"), strategy="x", attempts=9, model="x", parameters={"seed": 1})
    for spec in (SPEC, other):
        assert (lock.asked(spec), lock.judged(spec, {"q.py": "é\n"})) == (ASKED, JUDGED)


def test_changes_are_named_in_order() -> None:
    old, new = {"b": "1", "c": "1", "same": "1", "e": ""}, {"d": "1", "c": "2", "a": "", "same": "1", "e": ""}
    assert lock.changes(old, new) == ["a added", "b removed", "c changed", "d added"]


@settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 999), st.integers(0, 255))
def test_no_damage_goes_unnoticed(tmp_path: Path, at: int, flip: int) -> None:
    """Any change of any byte, and any cut, is an error and never another program."""
    raw = lock.write(make("print('Fizz')\n")).encode()
    at = at % len(raw)
    found = read(tmp_path, raw[:at] + (bytes([raw[at] ^ flip]) + raw[at + 1 :] if flip else b""))
    assert isinstance(found, Diagnostic) and found.code in ("lock-damaged", "lock-newer") and found.help


def test_a_newer_or_changed_lock_says_so(tmp_path: Path) -> None:
    """The version is looked at before seal and form: they may be others."""
    message = "p.lock was written by a newer ai_coding"
    for line in ("version = 2\nmore = [", "version = 10\n"):
        found = read(tmp_path, FULL_TEXT.replace("version = 1\n", line).encode())
        assert found == Diagnostic("error", "lock-newer", message, Span("p.lock"), "update ai_coding")
    for text in (FULL_TEXT.replace("Fizz", "Fozz"), "#" + FULL_TEXT, FULL_TEXT + "\n", FULL_TEXT.rstrip("\n"), ""):
        assert damaged(read(tmp_path, text.encode()), "its text is not what was sealed")


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("name", ["../p.py", "/p.py", "a\\b", "nul", ".git/config", ""])
def test_a_sealed_lock_with_hostile_paths_is_refused(tmp_path: Path, name: str, committed: bool) -> None:
    for files in ([name], ["p", name], ["p", "P"], ["p", "p/q"], ["q"], []):
        text = lock.write(Lock({}, {}, Program(dict.fromkeys(files, ""), name if files == [name] else "p")), committed)
        assert damaged(read(tmp_path, text.encode()), "it holds paths that must not be written")


@pytest.mark.parametrize("part", ["take = 3\n", 'entry = "fizz.py"\n', "[files]", "requests = 2\n", "]\n", "[tested]"])
def test_what_is_not_whole_or_cannot_be_read_is_damaged(tmp_path: Path, part: str) -> None:
    head = FULL_TEXT[: FULL_TEXT.rindex("digest = ")].replace(part, "", 1)
    assert damaged(read(tmp_path, f'{head}digest = "{digest(head.encode())}"\n'.encode()))
    assert damaged(read(tmp_path, b"\xff"))
    (tmp_path / "x" / "p.lock").mkdir(parents=True)
    assert damaged(lock.read(tmp_path / "x" / "p.lock"))
