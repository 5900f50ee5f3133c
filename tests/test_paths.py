"""Paths from a model or a stranger: what is refused and why, and which cannot stand side by side."""

import unicodedata

import pytest
from ai_coding import paths
from hypothesis import given, settings
from hypothesis import strategies as st

FIXED = settings(derandomize=True, deadline=None)
RELATIVE = "only a relative path with forward slashes is allowed"
INVISIBLE = "it holds invisible characters"
PARTS = "it has an empty, '.' or '..' part"
LONG = "one of its parts is longer than 255 bytes"
NAME = "that name is not possible on every system"
GIT = "it reaches into a version control folder"


@pytest.mark.parametrize(
    ("expected", "refused"),
    [
        (RELATIVE, ["", "/", "/etc/passwd", "//host/x", "a\\b", "\\", "C:", "c:x", "Z:/x", "a/b\\c", "C:\x00"]),
        (INVISIBLE, ["a\x00", "a\nb", "\t", "\x7f", "a\x85b", "x\u200b", "\ufeffa", "a\u2028b", "\u2029", "\ud800"]),
        (PARTS, [".", "..", "./a", "a/./b", "a/..", "a//b", "a/", "../nul"]),
        (LONG, ["a" * 256, "é" * 128, "a/" + "😀" * 64, "b/" + "a" * 256 + "/c"]),
        (NAME, ["a<b", "a>b", "ab:c", "1:x", 'a"b', "a|b", "a?", "*", "a.", "a ", "a./b", "...", " ", "é:x"]),
        (NAME, ["nul", "NUL.tar.gz", "a/Con.py/b", "aux.", "prn.txt", "com0", "COM9.x", "lpt³", "CONIN$", "conout$.x"]),
        (NAME, ["nul .txt", "com1  .a.b", "nul.git/.git"]),
        (GIT, [".git", ".GIT/config", "a/.Git", "a/.git/hooks/x"]),
    ],
)
def test_what_is_refused_and_why(expected: str, refused: list[str]) -> None:
    """The first reason counts: of the path as a whole, then of its parts from left to right."""
    assert {path: paths.problem(path) for path in refused} == dict.fromkeys(refused, expected)


@pytest.mark.parametrize(
    "path",
    "a a.py a/b/c.py .hidden ..a a..b .gitignore .github/x git x.git/y über.py 日本/語.txt 😀 -x ~ a~1 $x #x a,b (a) "
    "{a} console com com10 lpt nulx null xnul nul-1 a.nul con_ auxiliary.py conin aux1.txt CONIN$x %2e%2e a&b;c".split()
    + ["a b", " a", "a" * 255, "é" * 127 + "x", "/".join(["a" * 255] * 20), "a'b", "nul x"],
)
def test_plain_paths_are_fine(path: str) -> None:
    assert paths.problem(path) == ""


@FIXED
@given(st.text(st.characters() | st.sampled_from("./\\:aAuxNUL~ \u0301\x00")))
def test_what_is_allowed_stays_in_its_folder(path: str) -> None:
    """No text makes it raise, and a path that passes is one that every system reads alike."""
    if paths.problem(path) == "":
        parts = path.split("/")
        assert not {"", ".", ".."} & set(parts) and "\\" not in path and ":" not in path
        assert all(len(part.encode()) <= 255 and part == part.rstrip(" .") for part in parts)
        assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in path)
        assert all(paths.problem(part) == "" for part in parts)


@pytest.mark.parametrize(
    ("given_paths", "expected"),
    [
        ([], []),
        (["a.py", "b.py", "a/b", "a/c", "ab"], []),
        (["A/x", "a/y"], []),
        (["a", "b/a", "a.b/c"], []),
        (["a.py", "A.py"], [("A.py", "a.py")]),
        (["é", "e\u0301"], [("e\u0301", "é")]),
        (["É", "e\u0301"], [("e\u0301", "É")]),
        (["straße", "STRASSE"], [("STRASSE", "straße")]),
        (["a", "a"], [("a", "a")]),
        (["ab", "aB", "AB"], [("AB", "aB"), ("AB", "ab")]),
        (["a/b", "a"], [("a", "a/b")]),
        (["x/y", "X"], [("X", "x/y")]),
        (["a/b/c/d", "a/b", "A"], [("A", "a/b"), ("a/b", "a/b/c/d"), ("A", "a/b/c/d")]),
        (["a", "A", "a/b"], [("A", "a"), ("A", "a/b")]),
        (["z/1", "z", "B", "b"], [("B", "b"), ("z", "z/1")]),
        (["a/b", "A/B", "a"], [("A/B", "a/b"), ("a", "A/B")]),
    ],
)
def test_clashes(given_paths: list[str], expected: list[tuple[str, str]]) -> None:
    """Names that are alike first, then folders; in the order of the sorted paths, whatever order they came in."""
    for some in (given_paths, given_paths[::-1], dict.fromkeys(given_paths)):
        if len(list(some)) == len(given_paths):
            assert paths.clashes(iter(some)) == expected


@FIXED
@given(st.lists(st.text("aAéb\u0301/", min_size=1, max_size=5), max_size=6, unique=True))
def test_no_clash_means_that_a_case_blind_system_can_hold_them_all(some: list[str]) -> None:
    keys = [unicodedata.normalize("NFC", path).casefold() for path in some]
    alike = len(set(keys)) < len(keys) or any(b.startswith(a + "/") for a in keys for b in keys)
    assert bool(paths.clashes(some)) == alike
