"""Compares the names that a Python program offers with those that others rely on.

Texts are read by `ast` only, nothing is run. They are a model's: whatever they hold, nothing raises,
and nothing here recurses over how deep they are nested.

In: an interface (Python source) and a program, or a program before and after a change; or an
interface and the names in it that somebody relies on.
Out: Diagnostics for names that are missing, of another kind, with another signature, or lost; or
the part of the interface that defines those names, and the names that it does not define.
"""

import ast
import re
from collections.abc import Iterator, Sequence

from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Program

_Node = ast.stmt | ast.expr
_KEEP = "only what the change asks for may go: put it back"


def differences(interface: str, program: Program) -> list[Diagnostic]:
    """What program lacks of interface."""
    wanted = _body(interface)
    if wanted is None:
        message = "the interface is not Python: it is not checked"
        return [Diagnostic("warning", "interface-unreadable", message)]
    offered = _body(program.files[program.entry])
    if offered is None:
        return [error("interface-unreadable", "the program is not Python", Span(program.entry))]
    found: list[Diagnostic] = []
    todo = _pairs("", wanted, offered)
    while todo:
        name, want, have = todo.pop()
        if isinstance(want, ast.ClassDef) and isinstance(have, ast.ClassDef):
            todo += _pairs(f"{name}.", want.body, have.body)
            continue
        difference = _difference(name, want, have, program.entry)
        if difference is not None:
            found.append(difference)
    return found


def lost(old: Program, new: Program, changes: str) -> list[Diagnostic]:
    """Public names that went unasked."""
    before, after = _body(old.files[old.entry]), _body(new.files[new.entry])
    if before is None or after is None:
        return []
    return [
        error("public-name-lost", f"the public name `{name}` is gone", Span(new.entry), _KEEP)
        for name in sorted(_public(before) - _public(after))
        if name not in changes
    ]


def pick(interface: str, names: Sequence[str]) -> tuple[str, list[str]]:
    """The part that defines names; names it has not."""
    body = _body(interface)
    if body is None:
        return interface, []
    # not str.splitlines: it also splits where the parser sees no end of a line
    lines = re.split("\r\n|\r|\n", interface)
    blocks: list[tuple[int, int, bool]] = []
    for node in body:
        start, end = _extent(node, lines)
        wanted = not _definitions([node]).keys().isdisjoint(names)
        if blocks and start < blocks[-1][1]:  # of two on one line both come, and both whole
            first, last, before = blocks.pop()
            start, end, wanted = first, max(last, end), before or wanted
        blocks.append((start, end, wanted))
    picked = [line for start, end, wanted in blocks if wanted for line in lines[start:end]]
    defined = _definitions(body)
    missing = [name for name in names if name not in defined]
    return "".join(f"{line}\n" for line in picked), missing


def _body(text: str) -> list[ast.stmt] | None:
    """The statements of text, None if it is unreadable."""
    try:
        return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # ValueError: NUL and lone surrogates; the last two: nested too deep for the parser
        return None


def _extent(node: ast.stmt, lines: list[str]) -> tuple[int, int]:
    """The indices in lines of the first line of a top-level statement and behind its last."""
    start, end = node.lineno, node.end_lineno or node.lineno
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        for decorator in node.decorator_list[:1]:
            start = decorator.lineno
            # brackets around it may open on lines above, where its `@` is
            while not lines[start - 1].lstrip().startswith("@"):
                start -= 1
    # columns are counted in bytes; a backslash behind the statement draws the next line in
    rest = lines[end - 1].encode("utf-8")[node.end_col_offset:]
    while end < len(lines) and rest.endswith(b"\\") and b"#" not in rest:
        rest = lines[end].encode("utf-8")
        end += 1
    return start - 1, end


def _pairs(
    prefix: str, wanted: list[ast.stmt], offered: list[ast.stmt]
) -> list[tuple[str, _Node, _Node | None]]:
    """Full name, what is wanted and what is there, of each wanted name: a stack, first on top."""
    there = _definitions(offered)
    pairs = [(prefix + name, want, there.get(name)) for name, want in _definitions(wanted).items()]
    return pairs[::-1]


def _difference(name: str, want: _Node, have: _Node | None, entry: str) -> Diagnostic | None:
    if have is None:
        message = f"the interface has `{name}`, the program does not"
        return error("interface-missing", message, Span(entry))
    if isinstance(have, ast.Import | ast.ImportFrom):
        return None
    span = Span(entry, have.lineno)
    if isinstance(want, ast.ClassDef) and not isinstance(have, ast.ClassDef):
        return error("interface-kind", f"`{name}` has to be a class", span)
    if not isinstance(want, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    if not isinstance(have, ast.FunctionDef | ast.AsyncFunctionDef):
        return error("interface-kind", f"`{name}` has to be a function", span)
    wanted, taken = _signature(want), _signature(have)
    if wanted == taken:
        return None
    message = f"`{name}` has to take {wanted}, it takes {taken}"
    return error("interface-signature", message, span)


def _signature(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """The parameters as source, without annotations, each default as `...`."""
    args = function.args
    positional = [*args.posonlyargs, *args.args]
    required = len(positional) - len(args.defaults)
    shown = [arg.arg for arg in positional[:required]]
    shown += [f"{arg.arg}=..." for arg in positional[required:]]
    if args.posonlyargs:
        shown.insert(len(args.posonlyargs), "/")
    if args.vararg is not None:
        shown.append(f"*{args.vararg.arg}")
    elif args.kwonlyargs:
        shown.append("*")
    for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        shown.append(arg.arg if default is None else f"{arg.arg}=...")
    if args.kwarg is not None:
        shown.append(f"**{args.kwarg.arg}")
    prefix = "async " if isinstance(function, ast.AsyncFunctionDef) else ""
    return f"{prefix}({', '.join(shown)})"


def _public(body: list[ast.stmt]) -> set[str]:
    return {
        name
        for name, node in _definitions(body).items()
        if not name.startswith("_") and not isinstance(node, ast.Import | ast.ImportFrom)
    }


def _definitions(body: list[ast.stmt]) -> dict[str, _Node]:
    """What body defines, by name: the statement, or the name that an assignment stores to."""
    found: dict[str, _Node] = {}
    todo = body[::-1]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If):
            todo += reversed(node.body + node.orelse)
        elif isinstance(node, ast.Try | ast.TryStar):
            todo += reversed(node.body + node.orelse + node.finalbody)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for name in _imported(node):
                found[name] = node
        elif isinstance(node, ast.Assign):
            for target in _stored(node.targets):
                found[target.id] = target
        elif isinstance(node, ast.AnnAssign):
            for target in _stored([node.target]):
                found[target.id] = target
    return found


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The names that node binds: `import a.b` binds `a`; which ones `*` binds cannot be seen."""
    return [
        alias.asname or alias.name.partition(".")[0] for alias in node.names if alias.name != "*"
    ]


def _stored(targets: Sequence[ast.expr]) -> Iterator[ast.Name]:
    """The names among targets, also in tuples and lists, in the order of the source."""
    todo = list(reversed(targets))
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Name):
            yield node
        elif isinstance(node, ast.Tuple | ast.List):
            todo += reversed(node.elts)
        elif isinstance(node, ast.Starred):
            todo.append(node.value)
