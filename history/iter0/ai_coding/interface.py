"""Interfaces: the public names that others may rely on.

In: Python text that shows the names a unit offers, and a program. Out: diagnostics for what the program does not offer.
"""

import ast

from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Program

Function = ast.FunctionDef | ast.AsyncFunctionDef
Imported = ast.Import | ast.ImportFrom


def differences(interface: str, program: Program) -> list[Diagnostic]:
    """What the program's entry file lacks of a Python interface: names, kinds, parameters, fields of classes."""
    try:
        wanted = ast.parse(interface).body
    except (SyntaxError, ValueError):
        return [Diagnostic("warning", "interface-unreadable", "the interface is not Python: it is not checked")]
    actual = _body(program)
    if actual is None:
        return [error("interface-unreadable", "the program is not Python", Span(program.entry))]
    found = list[Diagnostic]()
    _compare(wanted, actual, "", program.entry, found)
    return found


def lost(old: Program, new: Program, changes: str) -> list[Diagnostic]:
    """Public names that new no longer has although changes, what was asked for, do not mention them."""
    before, after = _body(old), _body(new)
    if before is None or after is None:  # other critics say what is wrong with it
        return []
    gone = sorted(_public(before) - _public(after))
    help = "only what the change asks for may go: put it back"
    names = [name for name in gone if name not in changes]
    return [error("public-name-lost", f"the public name `{name}` is gone", Span(new.entry), help) for name in names]


def _body(program: Program) -> list[ast.stmt] | None:
    """What its entry file holds; None if that is not Python, or is nested too deep for the parser."""
    try:
        return ast.parse(program.files[program.entry]).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _public(body: list[ast.stmt]) -> set[str]:
    names = _names(body).items()
    return {name for name, node in names if not name.startswith("_") and not isinstance(node, Imported)}


def _names(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    """What a body defines, also below `if` and `try`."""
    found: dict[str, ast.stmt] = {}
    ahead = body[::-1]
    while ahead:  # no recursion: a chain of `elif` nests as deep as it is long
        node = ahead.pop()
        if isinstance(node, Function | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [t for target in targets for t in ast.walk(target) if isinstance(t, ast.Name)]
            found |= {name.id: node for name in names if isinstance(name.ctx, ast.Store)}
        elif isinstance(node, Imported):
            found |= {alias.asname or alias.name: node for alias in node.names}
        elif isinstance(node, ast.If | ast.Try):
            ahead += [*node.body, *node.orelse, *getattr(node, "finalbody", [])][::-1]
    return found


def _compare(wanted: list[ast.stmt], actual: list[ast.stmt], prefix: str, entry: str, found: list[Diagnostic]) -> None:
    have = _names(actual)
    for name, node in _names(wanted).items():
        other, full = have.get(name), prefix + name
        line = getattr(other, "lineno", 0)
        if other is None:
            found.append(error("interface-missing", f"the interface has `{full}`, the program does not", Span(entry)))
        elif isinstance(other, Imported):
            continue
        elif isinstance(node, ast.ClassDef):
            if isinstance(other, ast.ClassDef):
                _compare(node.body, other.body, full + ".", entry, found)
            else:
                found.append(error("interface-kind", f"`{full}` has to be a class", Span(entry, line)))
        elif isinstance(node, Function):
            if not isinstance(other, Function):
                found.append(error("interface-kind", f"`{full}` has to be a function", Span(entry, line)))
            elif _signature(node) != _signature(other):
                message = f"`{full}` has to take {_signature(node)}, it takes {_signature(other)}"
                found.append(error("interface-signature", message, Span(entry, line)))


def _signature(node: Function) -> str:
    """Names, kinds and presence of defaults; annotations are the type checker's business."""
    names = node.args
    spec = ast.arguments(
        posonlyargs=[ast.arg(a.arg) for a in names.posonlyargs],
        args=[ast.arg(a.arg) for a in names.args],
        vararg=names.vararg and ast.arg(names.vararg.arg),
        kwonlyargs=[ast.arg(a.arg) for a in names.kwonlyargs],
        kw_defaults=[d and ast.Constant(...) for d in names.kw_defaults],
        kwarg=names.kwarg and ast.arg(names.kwarg.arg),
        defaults=[ast.Constant(...) for _ in names.defaults],
    )
    return ("async " if isinstance(node, ast.AsyncFunctionDef) else "") + f"({ast.unparse(spec)})"
