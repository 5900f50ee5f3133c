"""Fenced blocks come out of a text as CommonMark has them, and the words after a fence name what they name."""

import sys
import sysconfig
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from ai_coding import markdown
from ai_coding.markdown import Block
from hypothesis import given, settings
from hypothesis import strategies as st

FIXED = settings(derandomize=True, deadline=None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[(t, ["x\n"]) for t in ("```\nx\n```", "Sure!\n\n```python\nx\n```\nThat is all.", "~~~ a`b\nx\n~~~")],
        *[(t, ["x\n"]) for t in ("```\nx\n   ```", "```\nx\n`````  \t", "   ```\nx\n```")],
        *[(t, [""]) for t in ("```\n```", "~~~~\n~~~~~\n", "```\n```\n\n")],
        ("```\n~~~\n```", ["~~~\n"]),
        ("~~~~python\nx\n```\n~~~\n~~~~", ["x\n```\n~~~\n"]),
        ('````python\ns = """\n```\ninside\n```\n"""\n````', ['s = """\n```\ninside\n```\n"""\n']),
        *[(f"```\nx\n{row}\n```", [f"x\n{row}\n"]) for row in ("    ```", "``` y", "\t```")],
        ("  ```\n  x\n    y\n z\n\n  ```", ["x\n  y\nz\n\n"]),
        ("  ```\n\tx\n  ```", ["\tx\n"]),
        *[(t, []) for t in ("", "\n", "no fence", "    ```\nnot a fence", "\t```\nx")],
        *[(t, []) for t in ("``\nx\n``", "``` a`b\nx\n", "> ```")],
        ("```\nx\ry\x0bz\u2028w\n```", ["x\ry\x0bz\u2028w\n"]),
        ("```\n\n  trailing \t \n\n\n```", ["\n  trailing \t \n\n\n"]),
        ("- a\n\n  ```\n  x\n  ```\n<pre>\n```\ny\n```\n</pre>", ["x\n", "y\n"]),
        ("```\nx\n```\n~~~\ny\n~~~\n```\n```", ["x\n", "y\n", ""]),
    ],
)  # fmt: skip
def test_what_lies_between_fences(text: str, expected: list[str]) -> None:
    blocks, unclosed = markdown.blocks(text)
    assert [block.text for block in blocks] == expected and unclosed == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\n\n``` \t python  a b.py\t\nx\n```", Block(3, "python  a b.py", "x\n")),
        ("~~~~~~\n```\n~~~~~~\n", Block(1, "", "```\n")),
        ("``` &amp; \\*\n```", Block(1, "&amp; \\*", "")),
        ("~~~~ ~~~ `\n~~~~", Block(1, "~~~ `", "")),
        ("\r\x0c\u2028\n```\u00a0x\n```", Block(2, "\u00a0x", "")),
        ("\r\n```py \r\nx\r\n``` \r\n", Block(2, "py", "x\r\n")),
        ("```\n```\r", Block(1, "", "")),
    ],
)
def test_a_block_knows_its_line_and_the_words_after_its_fence(text: str, expected: Block) -> None:
    assert markdown.blocks(text) == ([expected], 0)


def test_blocks_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Block(1, "", "").line = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "texts", "line"),
    [
        *[(text, [], 1) for text in ("```", "```\nx = 1\n", "````\nx\n```", "```\n~~~")],
        *[(text, [], 1) for text in ("```\n``` y\n", "```\n```\r\r\n")],
        ("a\n```\nx\n```\n```x\n", ["x\n"], 5),
        ("```python ../a.py\nx\n```\n```", ["x\n"], 4),
    ],
)  # fmt: skip
def test_a_fence_that_is_never_closed(text: str, texts: list[str], line: int) -> None:
    """What was closed before it is still told, and its line."""
    blocks, unclosed = markdown.blocks(text)
    assert ([block.text for block in blocks], unclosed) == (texts, line)


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        *[("", ("", "")), (" \t", ("", ""))],
        *[(info, (info.lower(), "")) for info in ("python", "Python", "b_x", "SEARCH", "c++", "Makefile")],
        *[(info, (info.lower(), info)) for info in ("a.py", "src/B", "B.c", "a\\b", "../x", "/", "expected")],
        *[("python n='b.py'", ("python", "")), ("Python {file=b.py}", ("python", "")), ("py data-x=b.py", ("py", ""))],
        *[("x y=1", ("x", "")), ("a.b n=x", ("a.b", "")), ("py {", ("py", "")), ("py é_1=", ("py", ""))],
        *[("a.py n=x", ("a.py", "")), ("expected n=x", ("expected", "expected")), ("Expected n=x", ("expected", ""))],
        *[("python a.py", ("python", "a.py")), ("python\tB.py", ("python", "B.py")), ("a.py b.py", ("a.py", "b.py"))],
        *[("python \t a.py ", ("python", "a.py")), (" Search  a.py", ("search", "a.py"))],
        *[("python a b.txt", ("python", "a b.txt")), ("x a \t b", ("x", "a \t b")), ("x Makefile", ("x", "Makefile"))],
        *[("python a.py n=x", ("python", "a.py n=x")), ("py =x", ("py", "=x")), ("py a+b=c", ("py", "a+b=c"))],
        ("py\u00a0x a.py", ("py\u00a0x", "a.py")),
    ],
)  # fmt: skip
def test_the_words_after_a_fence(info: str, expected: tuple[str, str]) -> None:
    assert markdown.words(info, "expected") == expected


def test_one_path_written_in_two_ways() -> None:
    """Models compose what others decompose: a path that is the expected one after NFC is that."""
    for one, other in (("caf\u00e9.py", "cafe\u0301.py"), ("cafe\u0301.py", "caf\u00e9.py")):
        assert markdown.words(f"python {other}", one) == ("python", one)
        assert markdown.words(other, one)[1] == markdown.words(f"{other} n=x", one)[1] == one
        assert markdown.words(f"python x{other}", one) == ("python", f"x{other}")


def test_many_blocks_and_lines_are_read_in_little_time() -> None:
    blocks, unclosed = markdown.blocks("~~~x\ny\n~~~\n" * 100_000)
    assert (len(blocks), blocks[-1], unclosed) == (100_000, Block(299_998, "x", "y\n"), 0)
    assert markdown.blocks("````\n" + "```\n" * 1_000_000)[1] == 1
    assert markdown.words("a " * 1_000_000, "a")[0] == "a"


def test_the_standard_library_survives() -> None:
    """Files of Python's standard library come out of a text as they went in."""
    count = 0
    for file in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py"))[::2]:
        text = file.read_bytes().decode("utf-8", "replace")
        if "site-packages" not in file.parts:
            text += "" if text.endswith("\n") else "\n"
            reply = f"Here it is.\n``````python a.py\n{text}``````\nDone."
            assert markdown.blocks(reply) == ([Block(2, "python a.py", text)], 0), file
            count += 1
    assert count > 300, f"only {count} files in {sys.prefix}"


@FIXED
@given(st.text(st.characters(exclude_categories=["Cs"])).filter(lambda t: "````" not in t))
def test_any_text_in_a_long_fence_is_the_block(text: str) -> None:
    body = text if text.endswith("\n") or not text else text + "\n"
    assert markdown.blocks(f"````python a.py\n{body}````") == ([Block(1, "python a.py", body)], 0)


PIECES = st.sampled_from(["```", "````", "~~~", "x", "\n", "\n", " ", "    ", "\t", "\r", "`", "~"])


@FIXED
@given(st.lists(PIECES).map("".join))
def test_blocks_follow_each_other_and_hold_whole_lines(text: str) -> None:
    blocks, unclosed = markdown.blocks(text)
    end = 0
    for block in blocks:
        assert block.line > end and (not block.text or block.text.endswith("\n"))
        assert text.split("\n")[block.line - 1].lstrip(" ")[:3] in ("```", "~~~")
        end = block.line + block.text.count("\n") + 1
    assert unclosed == 0 or unclosed > end


@FIXED
@given(st.text(), st.text())
def test_words_of_any_text(info: str, path: str) -> None:
    """The first word has no blanks and small letters; a path is a part of the text."""
    word, named = markdown.words(info, path)
    assert word == word.lower() and not set(word) & {" ", "\t"} and named in info
