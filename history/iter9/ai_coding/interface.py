"""Compares programs with the names that others rely on, by reading Python, never by running it.

Every text may be a model's, so nothing here raises, and nothing recurses over how deep a text is
nested: what ast.parse accepts may still be deeper than the stack.

In: the text of an interface, programs, of which only the entry file counts, names, and a change.
Out: Diagnostics of names that are missing, of another kind or gone; the part of an interface that
defines given names, with the names that it has not.
"""

import ast
import re
from collections.abc import Sequence

from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Program

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_IMPORTS = (ast.Import, ast.ImportFrom)


def differences(interface: str, program: Program) -> list[Diagnostic]:
    """What program lacks of interface."""
    wanted = _body(interface)
    if wanted is None:
        message = "the interface is not Python: it is not checked"
        return [Diagnostic("warning", "interface-unreadable", message)]
    offered = _entry_body(program)
    if offered is None:
        return [error("interface-unreadable", "the program is not Python", Span(program.entry))]
    found: list[Diagnostic] = []
    waiting = _pairs("", wanted, offered)
    while waiting:
        name, want, have = waiting.pop()
        if isinstance(want, ast.ClassDef) and isinstance(have, ast.ClassDef):
            waiting += _pairs(f"{name}.", want.body, have.body)
        else:
            found += _compared(name, want, have, program.entry)
    return found


def lost(old: Program, new: Program, changes: str) -> list[Diagnostic]:
    """Public names that went unasked."""
    before, after = _public(old), _public(new)
    if before is None or after is None:
        return []
    return [
        error(
            "public-name-lost",
            f"the public name `{name}` is gone",
            Span(new.entry),
            "only what the change asks for may go: put it back",
        )
        for name in sorted(before - after)
        if name not in changes
    ]


def pick(interface: str, names: Sequence[str]) -> tuple[str, list[str]]:
    """The part that defines names; names it has not."""
    body = _body(interface)
    if body is None:
        return interface, []
    # Not str.splitlines, which also splits at signs that end no line for Python's parser.
    lines = re.split(r"\r\n|\r|\n", interface)
    picked: list[str] = []
    known: set[str] = set()
    for first, last, defined in _blocks(body, lines):
        known |= defined
        if not defined.isdisjoint(names):
            picked += lines[first - 1:last]
    missing = [name for name in names if name not in known]
    return "".join(f"{line}\n" for line in picked), missing


def _body(text: str) -> list[ast.stmt] | None:
    """The statements of the top level; None if the text is unreadable."""
    try:
        return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # ValueError: NUL and lone surrogates; the last two: nesting.
        return None


def _entry_body(program: Program) -> list[ast.stmt] | None:
    # A program without its entry file offers no names; that is no reason to end a build.
    return _body(program.files.get(program.entry, ""))


def _public(program: Program) -> set[str] | None:
    """None if the program is unreadable."""
    body = _entry_body(program)
    if body is None:
        return None
    return {
        name
        for name, node in _defined(body).items()
        if not name.startswith("_") and not isinstance(node, _IMPORTS)
    }


def _defined(body: Sequence[ast.stmt]) -> dict[str, ast.stmt]:
    """The names that a body defines, in its order, each with the last statement that does."""
    found: dict[str, ast.stmt] = {}
    waiting = list(reversed(body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If):
            waiting += reversed(node.body + node.orelse)
        elif isinstance(node, (ast.Try, ast.TryStar)):
            waiting += reversed(node.body + node.orelse + node.finalbody)
        else:
            found.update(dict.fromkeys(_bound(node), node))
    return found


def _bound(node: ast.stmt) -> list[str]:
    """The names that one statement defines itself, not what it holds."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        # `import a.b` defines `a`; what a star defines cannot be seen.
        return [
            alias.asname or alias.name.partition(".")[0]
            for alias in node.names
            if alias.name != "*"
        ]
    if isinstance(node, ast.Assign):
        return _stored(node.targets)
    if isinstance(node, ast.AnnAssign):
        return _stored([node.target])
    return []


def _stored(targets: Sequence[ast.expr]) -> list[str]:
    names: list[str] = []
    waiting = list(reversed(targets))
    while waiting:
        target = waiting.pop()
        if isinstance(target, ast.Name):
            names.append(target.id)
        elif isinstance(target, (ast.Tuple, ast.List)):
            waiting += reversed(target.elts)
        elif isinstance(target, ast.Starred):
            waiting.append(target.value)
    return names


def _pairs(
    prefix: str, wanted: Sequence[ast.stmt], offered: Sequence[ast.stmt]
) -> list[tuple[str, ast.stmt, ast.stmt | None]]:
    """Full names, each with what is wanted and what is there: a stack, so the first is last."""
    there = _defined(offered)
    pairs = [(prefix + name, node, there.get(name)) for name, node in _defined(wanted).items()]
    return pairs[::-1]


def _compared(
    name: str, want: ast.stmt, have: ast.stmt | None, entry: str
) -> list[Diagnostic]:
    """What is wrong with one name, apart from what is inside classes."""
    if have is None:
        message = f"the interface has `{name}`, the program does not"
        return [error("interface-missing", message, Span(entry))]
    if isinstance(have, _IMPORTS):
        return []
    span = Span(entry, have.lineno)
    if isinstance(want, ast.ClassDef) and not isinstance(have, ast.ClassDef):
        return [error("interface-kind", f"`{name}` has to be a class", span)]
    if not isinstance(want, _FUNCTIONS):
        return []
    if not isinstance(have, _FUNCTIONS):
        return [error("interface-kind", f"`{name}` has to be a function", span)]
    right, actual = _signature(want), _signature(have)
    if right == actual:
        return []
    message = f"`{name}` has to take {right}, it takes {actual}"
    return [error("interface-signature", message, span)]


def _signature(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """As source; two functions are taken alike exactly if this text is the same."""
    arguments = function.args
    plain = arguments.posonlyargs + arguments.args
    required = len(plain) - len(arguments.defaults)
    shown = [item.arg for item in plain[:required]]
    shown += [f"{item.arg}=..." for item in plain[required:]]
    if arguments.posonlyargs:
        shown.insert(len(arguments.posonlyargs), "/")
    if arguments.vararg:
        shown.append(f"*{arguments.vararg.arg}")
    elif arguments.kwonlyargs:
        shown.append("*")
    for item, default in zip(arguments.kwonlyargs, arguments.kw_defaults):
        shown.append(item.arg if default is None else f"{item.arg}=...")
    if arguments.kwarg:
        shown.append(f"**{arguments.kwarg.arg}")
    start = "async " if isinstance(function, ast.AsyncFunctionDef) else ""
    return f"{start}({', '.join(shown)})"


def _blocks(
    body: Sequence[ast.stmt], lines: Sequence[str]
) -> list[tuple[int, int, set[str]]]:
    """First line, last line (from 1) and names of statements; those that share a line are one."""
    blocks: list[tuple[int, int, set[str]]] = []
    for node in body:
        first, last = _first_line(node, lines), _last_line(node, lines)
        names = set(_defined([node]))
        if blocks and first <= blocks[-1][1]:
            first, end, others = blocks.pop()
            last, names = max(end, last), others | names
        blocks.append((first, last, names))
    return blocks


def _first_line(node: ast.stmt, lines: Sequence[str]) -> int:
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return node.lineno
    if not node.decorator_list:
        return node.lineno
    first = node.decorator_list[0].lineno
    # The place of an expression is without its parentheses: the `@` may be on a line above.
    while first > 1 and not lines[first - 1].lstrip().startswith("@"):
        first -= 1
    return first


def _last_line(node: ast.stmt, lines: Sequence[str]) -> int:
    """With the lines that a backslash behind the statement joins to it."""
    last = node.end_lineno or node.lineno
    # Offsets of ast count bytes.
    rest = lines[last - 1].encode("utf-8")[node.end_col_offset:]
    # A backslash that ends a comment joins nothing.
    while b"#" not in rest and rest.endswith(b"\\") and last < len(lines):
        rest = lines[last].encode("utf-8")
        last += 1
    return last
