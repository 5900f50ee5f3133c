"""A program offers the names that its interface shows, and keeps its public names when it is changed."""

import pytest
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.interface import differences, lost, pick
from ai_coding.ir import Program
from hypothesis import given, settings
from hypothesis import strategies as st

KEEP = "only what the change asks for may go: put it back"
F = "(a, b=...)"
DEEP = [
    "x = " + "-" * 100_000 + "1\n",
    "x = " + "(" * 5_000 + ")" * 5_000 + "\n",
    "x = " + "+".join("1" * 20_000) + "\n",
    "def f(a=" + "-" * 900 + "1): ...\n",
    "if a:\n    x = 1\n" + "elif b:\n    y = 1\n" * 3_000,
    "x = 1\0",
    "x = '\ud800'\n",
]


def program(text: str) -> Program:
    return Program({"pkg/p.py": text, "other.py": "there = 1\n"}, "pkg/p.py")


def codes(interface: str, text: str) -> list[str]:
    return [d.code for d in differences(interface, program(text))]


@pytest.mark.parametrize(
    ("interface", "text", "expected"),
    [
        ("", "x = 1\n", ""),
        ("def f(a: int) -> int: 'Words.'", "def f(a):\n    return a\n", ""),
        ("def f(a: int) -> int: ...", "def f(a: str) -> str:\n    return a\n", ""),
        ("def f(a: int): ...", "def f(b: int): ...\n", "signature"),
        ("def f(a, b=1): ...", "def f(a, b='x' * 9): ...\n", ""),
        ("def f(a, b=1): ...", "def f(a, b): ...\n", "signature"),
        ("def f(a, b): ...", "def f(a, b=None): ...\n", "signature"),
        ("def f(a, b): ...", "def f(b, a): ...\n", "signature"),
        ("def f(a, *, b=1): ...", "def f(a, b=1): ...\n", "signature"),
        ("def f(*, b=1): ...", "def f(*, b): ...\n", "signature"),
        ("def f(*, a, b=1): ...", "def f(*, a, b=2): ...\n", ""),
        ("def f(a, /): ...", "def f(a): ...\n", "signature"),
        ("def f(*a, **k): ...", "def f(*a: int, **k: str): ...\n", ""),
        ("def f(*a): ...", "def f(*b): ...\n", "signature"),
        ("def f(**a): ...", "def f(): ...\n", "signature"),
        ("async def f(): ...", "async def f(): ...\n", ""),
        ("async def f(): ...", "def f(): ...\n", "signature"),
        ("def f(): ...", "async def f(): ...\n", "signature"),
        ("def f(): ...", "f = len\n", "kind"),
        ("def f(): ...", "class f: ...\n", "kind"),
        ("def f(): ...", "from os import name as f\n", ""),
        ("class C: ...", "import C\n", ""),
        ("class C: ...", "def C(): ...\n", "kind"),
        ("class C: ...", "C = int\n", "kind"),
        ("class C:\n    a: int\n    b: int = 0", "class C:\n    a = 1\n", "missing"),
        ("class C:\n    a: int", "class C:\n    def a(self): ...\n", ""),
        ("class C:\n    def a(self): ...", "class C:\n    a: int = 0\n", "kind"),
        ("class C:\n    def a(self, x): ...", "class C:\n    def a(self): ...\n", "signature"),
        ("class C:\n    class D:\n        x: int", "class C:\n    class D: ...\n", "missing"),
        ("x: int", "x = 1\n", ""),
        ("x = 1", "def x(): ...\n", ""),
        ("x: int\ny: int", "(x, [y]) = 1, [2]\n", ""),
        ("x: int", "", "missing"),
        ("x: int", "x[0] = y.x = z\n", "missing"),
        ("there: int", "", "missing"),
        ("_x: int", "", "missing"),
        ("x: int\ny: int\nz: int", "if a:\n    x = 1\nelif b:\n    y = 1\nelse:\n    z = 1\n", ""),
        ("x: int\ny: int", "try:\n    if a:\n        x = 1\nfinally:\n    y = 1\n", ""),
        ("if True:\n    x: int", "", "missing"),
        ("x: int", "def f():\n    x = 1\n", "missing"),
        ("def f(a): ...", "def f(b): ...\ndef f(a): ...\n", ""),
        ("x: int\ndef f(a): ...", "def f(): ...\n", "missing signature"),
        ("x: int", "no python\n", "unreadable"),
        ("no python", "also no\n", "unreadable"),
    ],
)
def test_what_is_compared(interface: str, text: str, expected: str) -> None:
    assert codes(interface, text) == [f"interface-{word}" for word in expected.split()]


def test_the_words() -> None:
    wanted = "def f(a: int, b: str = 'x') -> int: ...\nclass C:\n    x: int\nclass D: ...\ndef g(): ..."
    text = "\nasync def f(a: int, *, c=1): ...\nclass C:\n    y = 1\nD = 1\ng = 1\n"
    assert differences(wanted, program(text)) == [
        error("interface-signature", f"`f` has to take {F}, it takes async (a, *, c=...)", Span("pkg/p.py", 2)),
        error("interface-missing", "the interface has `C.x`, the program does not", Span("pkg/p.py")),
        error("interface-kind", "`D` has to be a class", Span("pkg/p.py", 5)),
        error("interface-kind", "`g` has to be a function", Span("pkg/p.py", 6)),
    ]
    unreadable = Diagnostic("warning", "interface-unreadable", "the interface is not Python: it is not checked")
    assert differences("def f(", program("x")) == [unreadable], "a fault of the interface is none of the program"
    assert differences("x: int", program("def")) == [
        error("interface-unreadable", "the program is not Python", Span("pkg/p.py"))
    ]


def test_public_names_are_not_lost() -> None:
    old = program("import os\nb = a = 1\n_c = 1\ndef d(): ...\nclass E:\n    f = 1\nif a:\n    g = 1\n")
    found = lost(old, program("b: int\n"), "- no d\n+ more stuff\n")
    assert found == [
        error("public-name-lost", f"the public name `{name}` is gone", Span("pkg/p.py"), KEEP)
        for name in ("E", "a", "g")
    ]
    assert lost(old, old, "") == []
    assert [d.message for d in lost(program("a = 1\n"), program("import a\n"), "")] == ["the public name `a` is gone"]


@pytest.mark.parametrize(("old", "new"), [("a = 1\n", "def f("), ("a=1\n", "a=1\necho $a\n"), ("echo $a\n", "b=1\n")])
def test_what_is_no_python_has_lost_nothing(old: str, new: str) -> None:
    """Other critics say that it does not parse, and other languages have other names."""
    assert lost(program(old), program(new), "") == []


@pytest.mark.parametrize("text", DEEP)
def test_no_text_of_a_model_makes_it_raise(text: str) -> None:
    assert all(d.severity == "error" for d in differences("def f(a=1): ...", program(text)))
    assert lost(program("x = 1\nf = 1\n"), program(text), "x f") == []
    assert isinstance(lost(program(text), program("x = 1\n"), ""), list)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.text("abcdefin:=()[]*, \n\t\\'\"{}@+;%"))
def test_a_program_offers_itself(text: str) -> None:
    found = differences(text, program(text))
    assert [d.severity for d in found] in ([], ["warning"]) and lost(program(text), program(text), "") == []


SHOWN = """\
LIMIT = 3  # bytes

# Of rows.
@dataclass(frozen=True)
class Row:
    \"\"\"A row.\"\"\"
    a: int; b: str = ""

Rows, Table = list[Row], dict  # both
def read(path: Path) -> Row | None:
    "One."

def read(path: Path, far: bool = False) -> Row | None: "Two."
if True:
    def inside() -> int: ...
x = 1; y = 2
"""


@pytest.mark.parametrize(
    ("names", "starts", "missing"),
    [
        ([], [], []),
        (["LIMIT"], ["LIMIT = 3  # bytes"], []),
        (["Row"], ["@dataclass", "class Row", '    """A row', "    a: int; b"], []),
        (["Table"], ["Rows, Table = list[Row], dict  # both"], []),
        (["read", "LIMIT"], ["LIMIT", "def read", '    "One."', "def read(path: Path, far"], []),
        (["inside"], ["if True:", "    def inside"], []),
        (["y"], ["x = 1; y = 2"], []),
        (["a", "Rows", "no", "Path"], ["Rows, Table"], ["a", "no", "Path"]),
    ],
)
def test_a_part_of_an_interface(names: list[str], starts: list[str], missing: list[str]) -> None:
    text, lacking = pick(SHOWN, names)
    lines = text.splitlines()
    assert len(lines) == len(starts) and all(map(str.startswith, lines, starts)), text
    assert lacking == missing and (text.endswith("\n") or not lines)
    assert pick(text, names) == (text, missing)


def test_an_interface_that_cannot_be_read_is_given_whole() -> None:
    for text in ("int main(void);\n", *DEEP[:2], *DEEP[5:]):
        assert pick(text, ["main"]) == (text, [])
    assert pick("x = '\u2028\x0c'\ny = 1\n", ["x"]) == ("x = '\u2028\x0c'\n", [])


@given(
    st.text(st.sampled_from("ab:=()[]\n ;#'\"\\@\r\x0c\ud800"), max_size=40),
    st.lists(st.sampled_from("abc"), max_size=3),
)
@settings(derandomize=True, deadline=None)
def test_nothing_raises_when_a_part_is_picked(text: str, names: list[str]) -> None:
    found, missing = pick(text, names)
    assert set(missing) <= set(names) and all(line in text for line in found.split("\n"))
