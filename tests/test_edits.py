"""Edits: which blocks are some, what files look like after them, and what is said of those that cannot be made."""

import pytest
from ai_coding import edits
from ai_coding.edits import Edit
from ai_coding.markdown import Block
from hypothesis import given, settings
from hypothesis import strategies as st

TEXT = "one\ntwo\nthree\ntwo\n"
FIXED = settings(derandomize=True, deadline=None)


def change(search: str, replacement: str | None, path: str = "a.py", line: int = 1) -> Edit:
    return Edit(line, path, search, replacement)


def search(line: int, info: str = "", text: str = "s\n") -> Block:
    return Block(line, f"search {info}".strip(), text)


def replace(line: int, info: str = "", text: str = "r\n") -> Block:
    return Block(line, f"replace {info}".strip(), text)


C = Block(9, "c", "c\n")


@pytest.mark.parametrize(
    ("blocks", "found", "others"),
    [
        ([], [], []),
        (
            [C, Block(1, "", ""), Block(2, "python search", "")],
            [],
            [C, Block(1, "", ""), Block(2, "python search", "")],
        ),
        ([search(1), replace(4)], [change("s\n", "r\n")], []),
        ([search(1, "b c.py"), replace(4, text="")], [change("s\n", "", "b c.py")], []),
        ([search(1, "b.py"), replace(4, "c.py")], [change("s\n", "r\n", "b.py")], []),
        ([search(1, "n=b.py", ""), replace(4, "{x}")], [change("", "r\n")], []),
        ([Block(1, "SEARCH \t b", "s\n"), Block(4, "Replace", "r\n")], [change("s\n", "r\n", "b")], []),
        ([C, search(1), C, replace(4), C], [change("s\n", "r\n")], [C, C, C]),
        ([search(1), replace(2), search(3, "b"), replace(4)], [change("s\n", "r\n"), change("s\n", "r\n", "b", 3)], []),
        ([search(1)], [change("s\n", None)], []),
        ([replace(1)], [change("r\n", None)], []),
        ([search(1, "b"), search(2), replace(3)], [change("s\n", None, "b"), change("s\n", "r\n", line=2)], []),
        ([search(1), replace(2), replace(3)], [change("s\n", "r\n"), change("r\n", None, line=3)], []),
        ([replace(1), search(2), replace(3)], [change("r\n", None), change("s\n", "r\n", line=2)], []),
        (
            [replace(1), replace(2), search(3)],
            [change("r\n", None), change("r\n", None, line=2), change("s\n", None, line=3)],
            [],
        ),
    ],
)
def test_which_blocks_are_edits(blocks: list[Block], found: list[Edit], others: list[Block]) -> None:
    read, left = edits.read(blocks, "a.py")
    # The path and the text of a half that has no other half are nobody's business.
    assert [edit.line for edit in read] == [edit.line for edit in found]
    assert [edit for edit in read if edit.replacement is not None] == [e for e in found if e.replacement is not None]
    assert left == others


@pytest.mark.parametrize(
    ("text", "changes", "expected"),
    [
        (TEXT, [], TEXT),
        (TEXT, [change("one\n", "1\n")], "1\ntwo\nthree\ntwo\n"),
        (TEXT, [change("three\n", "")], "one\ntwo\ntwo\n"),
        (TEXT, [change("one\ntwo\n", "1\n2\n2.5\n")], "1\n2\n2.5\nthree\ntwo\n"),
        (TEXT, [change("three\ntwo\n", "end\n")], "one\ntwo\nend\n"),
        (TEXT, [change(TEXT, "")], ""),
        (TEXT, [change("one\n", "1\n"), change("1\n", "uno\n")], "uno\ntwo\nthree\ntwo\n"),
        (TEXT, [change("one\n", "two\nx\n"), change("two\nx\n", "2\n")], "2\ntwo\nthree\ntwo\n"),
        ("x\ny", [change("x\n", "1\n")], "1\ny"),
        ("x\ny", [change("y\n", "1\n")], "x\n1"),
        ("x\ny", [change("y\n", "")], "x"),
        ("x\n\ny\n", [change("\n", "z\n")], "x\nz\ny\n"),
        ("x\r\ny\r\n", [change("x\r\n", "z\n")], "z\ny\r\n"),
        ("a\u2028b\n\\1\n", [change("\\1\n", "\\g<0>\n")], "a\u2028b\n\\g<0>\n"),
    ],
)
def test_edits_that_can_be_made(text: str, changes: list[Edit], expected: str) -> None:
    files = {"a.py": text, "b.py": "one\n"}
    assert edits.apply(changes, files) == ({"a.py": expected, "b.py": "one\n"}, [])
    assert files == {"a.py": text, "b.py": "one\n"}, "what was given stays as it is"


@pytest.mark.parametrize(
    ("text", "changes", "codes"),
    [
        *[(TEXT, [change(s, "1\n")], ["edit-no-match"]) for s in ("on\n", "ne\n", "one \n", "two\n\n", "\n", "")],
        ("", [change("\n", "1\n")], ["edit-no-match"]),
        ("x\r\n", [change("x\n", "1\n")], ["edit-no-match"]),
        (TEXT, [change("two\n", "2\n")], ["edit-many-matches"]),
        (TEXT, [change("one\n", None)], ["edit-pair"]),
        (TEXT, [change("one\n", "", "b.py")], ["edit-no-file"]),
        (TEXT, [change("no\n", "x\n"), change("?\n", None), change("x\n", "", "c"), change("two\n", "")],
         ["edit-no-match", "edit-pair", "edit-no-file", "edit-many-matches"]),
    ],
)  # fmt: skip
def test_edits_that_cannot_be_made(text: str, changes: list[Edit], codes: list[str]) -> None:
    files, found = edits.apply(changes, {"a.py": text})
    assert files == {"a.py": text} and [d.code for d in found] == codes
    assert all(d.severity == "error" for d in found)


def test_an_edit_that_cannot_be_made_leaves_the_others_be() -> None:
    changes = [change("one\n", "1\n"), change("one\n", "x\n", line=5), change("three\n", "3\n", line=9)]
    files, found = edits.apply(changes, {"a.py": TEXT})
    assert files == {"a.py": "1\ntwo\n3\ntwo\n"}
    assert [(d.code, d.span and d.span.line) for d in found] == [("edit-no-match", 5)]


NO_MATCH = "copy whole lines of the file exactly | the search text is not in a.py, line for line"
ONCE = "add lines around it until it occurs once | "


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (change("one\n", None, "b.py"), "a search block is not followed by its replace block"),
        (change("one\n", "", "c.py"), "there is no 'c.py' to edit"),
        (change("two\n", ""), ONCE + "the search text is in a.py at lines 2, 4"),
        (change("1\n1\n", "", "b.py"), ONCE + "the search text is in b.py at lines 1, 2"),
        (change("?\n", ""), NO_MATCH),
        (change("tree\n", ""), NO_MATCH + "\nthe nearest lines are\n    3 | three"),
        (change("x\nthree\n", ""), NO_MATCH + "\nthe nearest lines are\n    2 | two\n    3 | three"),
    ],
)
@pytest.mark.parametrize("line", [0, 1, 7])
def test_what_an_error_says(edit: Edit, message: str, line: int) -> None:
    edit = Edit(line, edit.path, edit.search, edit.replacement)
    _, (found,) = edits.apply([edit], {"a.py": TEXT, "b.py": "1\n1\n1\n"})
    assert found.span and (found.span.file, found.span.line) == ("reply", line)
    assert (f"{found.help} | " if found.help else "") + found.message == message


@pytest.mark.parametrize(
    ("text", "wanted", "expected"),
    [
        *[(text, wanted, []) for text, wanted in (("", "x\n"), ("x\n", ""), ("", ""), (TEXT, "?\n"), (TEXT, "?\n!\n"))],
        (TEXT, "tree\n", [(3, "three")]),
        (TEXT, "tree\n?\n!\n", [(3, "three"), (4, "two")]),
        (TEXT, "?\ntree\n", []),
        (TEXT, "x\nthree\n", [(2, "two"), (3, "three")]),
        (TEXT, "x\ny\ntwo\nz\n", [(1, "one"), (2, "two"), (3, "three"), (4, "two")]),
        (TEXT, "two\n?\n", [(2, "two"), (3, "three")]),
        ("a\nb\nc\na\nb\nd", "a\nb\nd\nx\n", [(4, "a"), (5, "b"), (6, "d")]),
        ("a\nx\nb\n", "b\na\n", [(3, "b")]),
        ("a\nb\nc\nd\n", "z\nc\nd\nb\n", [(2, "b"), (3, "c"), (4, "d")]),
        ("b\na\nb\n\n", "?\n\n", [(3, "b"), (4, "")]),
        ("a\r\nb", "a\r\nc\n", [(1, "a\r"), (2, "b")]),
    ],
)
def test_the_nearest_lines(text: str, wanted: str, expected: list[tuple[int, str]]) -> None:
    assert edits.nearest(text, wanted) == expected


def test_no_more_than_40_of_the_nearest_lines_are_shown() -> None:
    text = "".join(f"{i}\n" for i in range(60))
    assert edits.nearest(text, text + "end\n") == [(i + 1, str(i)) for i in range(40)]
    _, (found,) = edits.apply([change(text + "end\n", "")], {"a.py": text})
    assert found.message.endswith("   40 | 39") and "    1 | 0\n" in found.message


def test_looking_for_the_nearest_lines_ends() -> None:
    """Lines that repeat, long lines and many edits do not keep a build busy."""
    same, long = "a\n" * 9_999, "x" * 1_000_000 + "\n"
    assert edits.nearest("b\n" + same, same + "c\n")[0] == (2, "a")
    assert edits.nearest("a\n" * 300, "?\na\na\n") == [(1, "a"), (2, "a"), (3, "a")]
    assert edits.nearest(long * 20, "x" * 999_999 + "\n") == [(1, long[:-1])]
    assert edits.nearest("a\n" * 10_000 + "b\n", "b\n") == []
    files = {"a.py": "a\n" * 6_000, "b.py": "b\n"}
    tried = [change("b\n", "", "b.py"), *[change("a\nb\n", "")] * 3, change("b\nc\n", "", "b.py"), change("a\n", "")]
    _, found = edits.apply(tried, files | {"b.py": "b\nd\n"})
    assert ["nearest" in d.message for d in found] == [True, True, False, False, False]
    assert [d.code for d in found] == ["edit-no-match"] * 4 + ["edit-many-matches"]


LINES = st.lists(st.sampled_from(["a\n", "b\n", "\n", "ab\n"]), max_size=6).map("".join)


@FIXED
@given(LINES, LINES, LINES, st.booleans())
def test_an_edit_is_made_just_where_its_search_text_occurs_once(
    text: str, wanted: str, replacement: str, ends: bool
) -> None:
    rows, part = text.splitlines(), wanted.splitlines()
    places = [i for i in range(len(rows)) if part and rows[i : i + len(part)] == part]
    if not ends:
        text = text + "x"
    files, found = edits.apply([change(wanted, replacement)], {"a.py": text})
    codes = {0: ["edit-no-match"], 1: []}
    assert [d.code for d in found] == codes.get(len(places), ["edit-many-matches"])
    if len(places) == 1:
        rows[places[0] : places[0] + len(part)] = replacement.splitlines()
        text = "".join(f"{row}\n" for row in rows) + ("" if ends else "x")
    assert files == {"a.py": text}


@FIXED
@given(st.lists(st.builds(Block, st.just(1), st.sampled_from(["search", "replace", "search b", "c"]), LINES)))
def test_no_block_makes_it_raise_or_is_lost(blocks: list[Block]) -> None:
    read, others = edits.read(blocks, "a.py")
    made = [edit for edit in read if edit.replacement is not None]
    assert len(read) + len(made) + len(others) == len(blocks)
    files, found = edits.apply(read, {"a.py": "a\nb\n\n"})
    assert set(files) == {"a.py"} and len(found) >= len(read) - len(made)
