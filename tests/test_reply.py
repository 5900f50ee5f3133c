"""Reading replies: fences, edits, hostile paths."""

import sys
import sysconfig
from pathlib import Path

import pytest
from ai_coding import languages, paths, reply
from ai_coding.ir import Program
from hypothesis import given
from hypothesis import strategies as st

PYTHON = languages.table()["python"]
BASE = Program({"a.py": "one\ntwo\nthree\ntwo\n"}, "a.py")


def read(text: str, base: Program | None = None) -> dict[str, str] | list[str]:
    """The files of a reply, or the codes of its faults."""
    program, found = reply.read(text, "a.py", PYTHON, base)
    return dict(program.files) if program else [d.code for d in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```\nx\n```", {"a.py": "x\n"}),
        ("Sure!\n\n```python\nx = 1\n```\nThat is all.", {"a.py": "x = 1\n"}),
        ("```python a.py\nx\n```", {"a.py": "x\n"}),
        ("```a.py\nx\n```", {"a.py": "x\n"}),
        ("~~~~python\nx\n```\n~~~\n~~~~", {"a.py": "x\n```\n~~~\n"}),
        ('````python\ns = """\n```\ninside\n```\n"""\n````', {"a.py": 's = """\n```\ninside\n```\n"""\n'}),
        ("```\nx\n`````  ", {"a.py": "x\n"}),
        ("  ```\n  x\n    y\n z\n  ```", {"a.py": "x\n  y\nz\n"}),
        ("    ```\nnot a fence", {"a.py": "    ```\nnot a fence\n"}),
        ("``` a`b\nx\n", {"a.py": "``` a`b\nx\n"}),
        ("```python\nx\n```\n\nRun it:\n```bash\npython a.py\n```", {"a.py": "x\n"}),
        ('```python title="a.py"\nx\n```', {"a.py": "x\n"}),
        ("```python a.py\nx\n```\n```python b.py\ny\n```", {"a.py": "x\n", "b.py": "y\n"}),
        ("print('no fence')", {"a.py": "print('no fence')\n"}),
        ("```\r\nx\r\n```\r\n", {"a.py": "x\r\n"}),
        ("```\n\n  trailing \t \n\n\n```", {"a.py": "\n  trailing \t \n\n\n"}),
        ("```\n```", {"a.py": ""}),
        ("", ["reply-empty"]),
        ("  \n", ["reply-empty"]),
        ("```python\nx = 1\n", ["reply-cut-off"]),
        ("````\nx\n```", ["reply-cut-off"]),
        ("```python\nx\n```\n```python\ny\n```", ["reply-ambiguous"]),
        ("```c\nx\n```\n```rust\ny\n```", ["reply-ambiguous"]),
        ("```python a.py\nx\n```\n```python a.py\ny\n```", ["reply-twice"]),
        ("\ud800", ["reply-encoding"]),
    ],
)
def test_whole_files(text: str, expected: object) -> None:
    assert read(text) == expected


def edit(search: str, replace: str, path: str = "a.py") -> str:
    return f"````search {path}\n{search}````\n````replace\n{replace}````\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (edit("one\n", "1\n"), {"a.py": "1\ntwo\nthree\ntwo\n"}),
        (edit("three\n", ""), {"a.py": "one\ntwo\ntwo\n"}),
        (edit("one\ntwo\n", "1\n2\n2.5\n"), {"a.py": "1\n2\n2.5\nthree\ntwo\n"}),
        (edit("one\n", "1\n") + "and\n" + edit("1\n", "uno\n"), {"a.py": "uno\ntwo\nthree\ntwo\n"}),
        (edit("one\n", "1\n", ""), {"a.py": "1\ntwo\nthree\ntwo\n"}),
        (edit("three\ntwo\n", "end\n") + "```bash\npython a.py\n```", {"a.py": "one\ntwo\nend\n"}),
        (edit("two\n", "2\n"), ["edit-many-matches"]),
        (edit("on\n", "1\n"), ["edit-no-match"]),
        (edit("one\n", "1\n") + edit("gone\n", "x\n"), ["edit-no-match"]),
        (edit("one\n", "1\n", "b.py"), ["edit-no-file"]),
        ("```search a.py\none\n```", ["edit-pair"]),
        ("```replace\none\n```", ["edit-pair"]),
        (edit("", "x\n"), ["edit-no-match"]),
        (edit("no\n", "x\n") + edit("two\n", "2\n"), ["edit-no-match", "edit-many-matches"]),
    ],
)
def test_edits(text: str, expected: object) -> None:
    assert read(text, BASE) == expected


def test_an_edit_that_does_not_match_shows_the_nearest_lines() -> None:
    _, found = reply.read(edit("tree\n", "x\n"), "a.py", PYTHON, BASE)
    assert "    3 | three" in found[0].message


def test_edits_keep_a_missing_final_newline() -> None:
    assert read(edit("x\n", "1\n"), Program({"a.py": "x\ny"}, "a.py")) == {"a.py": "1\ny"}


@pytest.mark.parametrize(
    "path",
    "/etc/x ../x a/../../x C:\\x C:x a\\b a//b ./a a/. nul con.py aux.txt a/COM1 x. .git/config a/.GIT/hooks/x "
    "a:b a?b lpt¹ \u202ex \u200bx".split() + ["a" * 256, "é" * 128, "a\x00b", "x/", "trailing "],
)  # fmt: skip
def test_hostile_paths_are_refused(path: str) -> None:
    assert paths.problem(path)
    if path == path.strip():
        assert "reply-path" in read(f"```python {path}\nx\n```")


@pytest.mark.parametrize("path", ["a.py", "a/b/c.py", "über.py", ".github/x.yml", "-x", "a b.txt", "console.log"])
def test_plain_paths_are_fine(path: str) -> None:
    assert paths.problem(path) == ""


def test_names_that_are_one_file_elsewhere_are_refused() -> None:
    assert paths.clashes(["a.py", "A.py"]) and paths.clashes(["é", "e\u0301"]) and paths.clashes(["a", "a/b"])
    assert not paths.clashes(["a/b", "a/c", "ab"])
    assert read("```python x.py\n1\n```\n```python X.py\n2\n```") == ["reply-path"]


def test_the_standard_library_survives() -> None:
    """Every file of Python's standard library comes out of a reply as it went in."""
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py"))
    count = 0
    for file in files:
        if "site-packages" in file.parts:
            continue
        try:
            text = file.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            continue
        if not text.endswith("\n"):
            text += "\n"
        assert read(f"Here it is.\n``````python a.py\n{text}``````\nDone.") == {"a.py": text}, file
        count += 1
    assert count > 500, f"only {count} files in {sys.prefix}"


FENCES = st.sampled_from(["```", "````", "~~~", "search a.py", "replace", "python", "../x", "\n", " ", "one", "\r"])


@given(st.lists(st.one_of(FENCES, st.text(max_size=5))).map("".join), st.booleans())
def test_no_text_makes_it_raise_or_leave_the_folder(text: str, with_base: bool) -> None:
    program, found = reply.read(text, "a.py", PYTHON, BASE if with_base else None)
    assert (program is None) == any(d.severity == "error" for d in found)
    for path in program.files if program else ():
        assert not paths.problem(path)


@given(st.text(st.characters(exclude_categories=["Cs"])).filter(lambda t: "````" not in t))
def test_any_text_in_a_long_fence_is_the_file(text: str) -> None:
    body = text if text.endswith("\n") or not text else text + "\n"
    assert read(f"````python a.py\n{body}````") == {"a.py": body}
