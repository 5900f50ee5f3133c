"""Reading replies: which block is the program, whole files and edits together, hostile paths, what faults say."""

import pytest
from ai_coding import paths, reply
from ai_coding.ir import Language, Program
from hypothesis import given, settings
from hypothesis import strategies as st

PYTHON = Language("python", "py", ("python3", "snake"))
BASE = Program({"a.py": "one\ntwo\nthree\ntwo\n"}, "a.py")
TWO = Program({"a.py": "one\n", "b.py": "1\n2\n\n3\n"}, "a.py")
HOSTILE = "/etc/x ../x a/../../x C:\\x a\\b a//b con.py .git/config a:b \u202ex".split()
FIXED = settings(derandomize=True, deadline=None)


def read(text: str, base: Program | None = None, path: str = "a.py") -> dict[str, str] | list[str]:
    """The files of a reply, or the codes of its faults."""
    program, found = reply.read(text, path, PYTHON, base)
    assert (program is None) == any(d.severity == "error" for d in found)
    assert program is None or program.entry == path
    return dict(program.files) if program else [d.code for d in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[(t, {"a.py": "x\n"}) for t in ("```\nx\n```", "Sure!\n\n```python\nx\n```\nThat is all.", "~~~ a`b\nx\n~~~")],
        ('````python\ns = """\n```\ninside\n```\n"""\n````', {"a.py": 's = """\n```\ninside\n```\n"""\n'}),
        ("```\r\nx\r\n```\r\n", {"a.py": "x\r\n"}),
        ("    ```\nnot a fence", {"a.py": "    ```\nnot a fence\n"}),
        ("print('no fence')", {"a.py": "print('no fence')\n"}),
        *[(text, ["reply-empty"]) for text in ("", "  \n")],
        *[(text, ["reply-cut-off"]) for text in ("```\nx = 1\n", "````\nx\n```", "```python ../a.py\nx\n```\n```")],
        ("\ud800", ["reply-encoding"]),
    ],
)  # fmt: skip
def test_fences(text: str, expected: object) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        *[(info, "a.py") for info in ("python", " a.py", "python a.py", "python \t a.py ", "b_x", "x y=1", "a.py n=x")],
        *[(info, "a.py") for info in ("python n='b.py'", "python {file=b.py}", "py data-x=b.py", "a.b n=x")],
        *[(info, "b.py") for info in ("b.py", "python b.py", "python\tb.py", "a.py b.py")],
        *[(f"python {path}", path) for path in ("a b.txt", "Makefile", "src/b")],
        *[(path, path) for path in ("src/b", "b.c")],
    ],
)  # fmt: skip
def test_the_words_after_a_fence(info: str, expected: str) -> None:
    assert read(f"```{info}\nx\n```") == {expected: "x\n"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[(f"```bash\ny\n```\n```{word}\nx\n```", {"a.py": "x\n"}) for word in ("Python", "py", "python3", "SNAKE")],
        ("```python a.py\nx\n```\n```python b.py\ny\n```\n```python\nz\n```", {"a.py": "x\n", "b.py": "y\n"}),
        ("```search a.py\none\n```\n```replace\n1\n```", {"a.py": "one\n"}),
        *[(f"```{w}\nx\n```\n```{w}\ny\n```", ["reply-ambiguous"]) for w in ("python", "c", "")],
        ("```python a.py\nx\n```\n```python a.py\ny\n```", ["reply-twice"]),
        *[(f"```python {path}\nx\n```", ["reply-path"]) for path in HOSTILE],
        ("```/a\nx\n```\n```a.py\n```\n```a.py\n```\n```A.py\n```", ["reply-twice", "reply-path", "reply-path"]),
    ],
)
def test_which_block_is_the_program(text: str, expected: object) -> None:
    assert read(text) == expected
    assert read("```bash\nmake\n```\n```Makefile\nall:\n```", path="Makefile") == {"Makefile": "all:\n"}


def edit(search: str, replace: str, path: str = "a.py") -> str:
    return f"````search {path}\n{search}````\n````replace\n{replace}````\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (edit("one\n", "1\n"), "1\ntwo\nthree\ntwo\n"),
        (edit("one\n", "1\n") + "and\n" + edit("1\n", "uno\n"), "uno\ntwo\nthree\ntwo\n"),
        (edit("one\n", "1\n", "").replace("replace", "replace b.py"), "1\ntwo\nthree\ntwo\n"),
        (edit("three\n", "3\n") + "```bash\npython a.py\n```", "one\ntwo\n3\ntwo\n"),
        (edit("three\n", "3\n").replace("````replace", "```sh\nx\n```\n````replace"), "one\ntwo\n3\ntwo\n"),
        (edit("one\n", "1\n") + edit("one\n", "x\n"), ["edit-no-match"]),
        ("```replace\n```\n```python\nx\n```", ["reply-ambiguous", "edit-pair"]),
        (edit("one\n", "1\n") + "```python\nx\n```", ["reply-ambiguous"]),
        *[(edit("one\n", "") + text, ["edit-no-file"]) for text in ("```a.py\nx\n```", edit("one\n", "", "b.py"))],
        *[(f"```{word}\none\n```", ["edit-pair"]) for word in ("search a.py", "replace")],
        *[(f"```{w}\n```\n" + edit("?\n", ""), ["edit-pair", "edit-no-match"]) for w in ("search", "replace")],
        (edit("no\n", "x\n") + edit("two\n", "2\n"), ["edit-no-match", "edit-many-matches"]),
        (edit("no\n", "x\n") + "```../x\n```\n```../y\n```", ["edit-no-match", "reply-path", "reply-path"]),
        (
            edit("no\n", "x\n") + "```python\n```\n```b\\\n```\n```b\\\n```\n```A.py\n```",
            ["reply-twice", "reply-ambiguous", "edit-no-match", "reply-path", "reply-path"],
        ),
    ],
)
def test_edits(text: str, expected: object) -> None:
    assert read(text, BASE) == ({"a.py": expected} if isinstance(expected, str) else expected)


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        *[(text, {"a.py": "x\n"}) for text in ("x", "```\nx\n```", "```bash\nx\n```")],
        ("```c.py\nx\n```", {"c.py": "x\n"}),
        ("```b.py\nx\n```\n" + edit("one\n", "1\n"), {"a.py": "1\n", "b.py": "x\n"}),
        (edit("\n", "", "b.py"), {"b.py": "1\n2\n3\n"}),
        (edit("3\n", "4\n", "b.py") + "```bash\npython a.py\n```\n```sh\n```", {"b.py": "1\n2\n\n4\n"}),
        ("```c.py\nx\n```\n" + edit("x\n", "y\n", "c.py"), ["edit-no-file"]),
        ("```B.py\nx\n```", ["reply-path"]),
    ],
)
def test_what_a_reply_does_not_name_stays(text: str, changed: object) -> None:
    assert read(text, TWO) == (dict(TWO.files) | changed if isinstance(changed, dict) else changed)
    assert dict(TWO.files) == {"a.py": "one\n", "b.py": "1\n2\n\n3\n"}


NO_MATCH = "copy whole lines of the file exactly | the search text is not in a.py, line for line"
NAME_IT = "name the file after the fence: ```python a.py | "


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 0, "the reply is empty"),
        ("\ud800", 0, "the reply holds lone surrogates, which are not text"),
        ("a\n```\n```\n```x\n", 4,
         "send all of it again, shorter if it has to be | a fence is never closed: the reply ended early"),
        ("```c\n```\n```d\n```", 0, NAME_IT + "which block is the program? (lines 1, 3)"),
        ("```c\n```\n```py\n```\n```py\n```", 0, NAME_IT + "which block is the program? (lines 3, 5)"),
        ("```b.py\n```\n```a.py\n```\n```a.py\n```", 5, "'a.py' is given twice"),
        ("```x.py\n```\n```../x\n```", 3, "refused the path '../x': it has an empty, '.' or '..' part"),
        ("```x.py\n```\n```X.py\n```", 0, "'X.py' and 'x.py' cannot both be files"),
        ("\n```search\none\n```", 2, "a search block is not followed by its replace block"),
        ("\n" + edit("one\n", "", "c.py"), 2, "there is no 'c.py' to edit"),
        ("\n" + edit("two\n", ""), 2,
         "add lines around it until it occurs once | the search text is in a.py at lines 2, 4"),
        (edit("?\n", ""), 1, NO_MATCH),
        (edit("tree\n", ""), 1, NO_MATCH + "\nthe nearest lines are\n    3 | three"),
    ],
)  # fmt: skip
def test_what_a_fault_says(text: str, line: int, message: str) -> None:
    first = reply.read(text, "a.py", PYTHON, BASE)[1][0]
    assert first.span and (first.severity, first.span.file, first.span.line) == ("error", "reply", line)
    assert (f"{first.help} | " if first.help else "") + first.message == message


def test_a_reply_without_a_fence_is_taken_with_a_note() -> None:
    program, (note,) = reply.read("x", "a.py", PYTHON)
    assert program == Program({"a.py": "x\n"}, "a.py")
    assert str(note) == "note[reply-unfenced]: no fenced block: the whole reply is taken as the file\n--> reply"


@pytest.mark.parametrize("path", ["search", "replace", "my file", "n=x"])
def test_a_reply_without_a_fence_is_the_file_whatever_its_path_looks_like(path: str) -> None:
    assert read("x", BASE, path) == {"a.py": BASE.files["a.py"], path: "x\n"}


def test_sizes() -> None:
    """Also of what is hostile, much is read in little time."""
    assert read("é" * 25_000_000) == {"a.py": "é" * 25_000_000 + "\n"}
    assert read("é" * 25_000_000 + "x") == ["reply-size"]
    files = [f"```{i}.py\n```\n" for i in range(10_001)]
    assert len(read("".join(files[1:]))) == 10_000 and read("".join(files)) == ["reply-size"]
    _, found = reply.read("".join(files).replace("```0", "```../0").replace("```1", "```../1"), "a.py", PYTHON)
    assert [d.code for d in found] == ["reply-path"] * sum(str(i)[0] in "01" for i in range(10_001)) + ["reply-size"]


def test_a_program_of_one_file_is_no_other_file() -> None:
    assert reply.read_one("```\nx\n```", "a.py", PYTHON, None)[0] == Program({"a.py": "x\n"}, "a.py")
    text = "```c\n```\n```a.py\n```\n```b\n```\n```z/b\n```\n```c.py\n```"
    program, found = reply.read_one(text, "a.py", PYTHON, BASE)
    assert program is None and [d.code for d in found] == ["reply-other-file"]
    assert found[0].message == "the program is the one file a.py; the reply also names c.py, z/b"
    assert [d.code for d in reply.read_one("```b.py\n", "a.py", PYTHON, None)[1]] == ["reply-cut-off"]


FENCES = st.sampled_from(["```", "````", "~~~", "search a.py", "replace", "python", "../x", "\n", " ", "one", "\r"])


@FIXED
@given(st.lists(st.one_of(FENCES, st.text(max_size=5))).map("".join), st.booleans())
def test_no_text_makes_it_raise_or_leave_the_folder(text: str, with_base: bool) -> None:
    for path in read(text, BASE if with_base else None):
        assert path.startswith(("reply-", "edit-")) or not paths.problem(path)
