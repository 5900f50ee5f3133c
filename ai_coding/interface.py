"""What a program lacks of the names that others rely on.

Python is read with `ast`, never run; of a program only the entry file counts. Texts come from models and may be
nested as deep as the parser allows, so everything here walks with a list of what is pending instead of recursion.

In: the text of an interface and a program; or a program before and after a change, and the text of that change.
Out: diagnostics for names that are missing, of another kind or with other parameters; or for public names that
are gone.
"""

import ast
import warnings

from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Program

# What defines a name: the statement, or for assignments the very name that is stored to.
_Definition = ast.stmt | ast.expr


def differences(interface: str, program: Program) -> list[Diagnostic]:
    """What program lacks of interface."""
    wanted = _names(interface)
    if wanted is None:
        return [Diagnostic("warning", "interface-unreadable", "the interface is not Python: it is not checked")]
    found = _offered(program)
    if found is None:
        return [error("interface-unreadable", "the program is not Python", Span(program.entry))]
    result: list[Diagnostic] = []
    pending = _pairs("", wanted, found)
    while pending:
        name, want, have = pending.pop()
        result += _problems(name, want, have, program.entry)
        if isinstance(want, ast.ClassDef) and isinstance(have, ast.ClassDef):
            pending += _pairs(f"{name}.", _defined(want.body), _defined(have.body))
    return result


def lost(old: Program, new: Program, changes: str) -> list[Diagnostic]:
    """Public names that went unasked."""
    before, after = _offered(old), _offered(new)
    if before is None or after is None:
        return []
    return [
        error(
            "public-name-lost",
            f"the public name `{name}` is gone",
            Span(new.entry),
            "only what the change asks for may go: put it back",
        )
        for name in sorted(_public(before) - _public(after))
        if name not in changes
    ]


def _offered(program: Program) -> dict[str, _Definition] | None:
    """What the entry file defines, None if it is unreadable. Without that file a program offers nothing."""
    return _names(program.files.get(program.entry, ""))


def _names(text: str) -> dict[str, _Definition] | None:
    """What a module of this text defines at its top level, None if it is unreadable."""
    try:
        with warnings.catch_warnings():
            # A doubtful escape is neither to be printed nor, where warnings are errors, to be refused.
            warnings.simplefilter("ignore")
            module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return _defined(module.body)


def _defined(body: list[ast.stmt]) -> dict[str, _Definition]:
    """The names that a body defines, in order, each with its last definition."""
    names: dict[str, _Definition] = {}
    pending = body[::-1]
    while pending:
        statement = pending.pop()
        if isinstance(statement, ast.If):
            pending += (statement.body + statement.orelse)[::-1]
        elif isinstance(statement, (ast.Try, ast.TryStar)):
            pending += (statement.body + statement.orelse + statement.finalbody)[::-1]
        else:
            names.update(_bound(statement))
    return names


def _bound(statement: ast.stmt) -> dict[str, _Definition]:
    """The names that a single statement defines."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name: statement}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        # `import a.b` defines `a`; which names a star brings cannot be seen.
        return {
            alias.asname or alias.name.partition(".")[0]: statement for alias in statement.names if alias.name != "*"
        }
    if isinstance(statement, ast.Assign):
        return _stored(statement.targets)
    if isinstance(statement, ast.AnnAssign):
        return _stored([statement.target])
    return {}


def _stored(targets: list[ast.expr]) -> dict[str, _Definition]:
    """The names that an assignment to these targets stores to."""
    names: dict[str, _Definition] = {}
    pending = targets[::-1]
    while pending:
        target = pending.pop()
        if isinstance(target, ast.Name):
            names[target.id] = target
        elif isinstance(target, (ast.Tuple, ast.List)):
            pending += target.elts[::-1]
        elif isinstance(target, ast.Starred):
            pending.append(target.value)
    return names


def _public(names: dict[str, _Definition]) -> set[str]:
    """Those names that others may rely on."""
    return {
        name
        for name, definition in names.items()
        if not name.startswith("_") and not isinstance(definition, (ast.Import, ast.ImportFrom))
    }


def _pairs(
    prefix: str, wanted: dict[str, _Definition], found: dict[str, _Definition]
) -> list[tuple[str, _Definition, _Definition | None]]:
    """Full name, what is wanted and what is there, the first name last: they are taken from the end."""
    return [(prefix + name, definition, found.get(name)) for name, definition in wanted.items()][::-1]


def _problems(name: str, wanted: _Definition, found: _Definition | None, entry: str) -> list[Diagnostic]:
    """What is wrong with one name, without what is inside of classes."""
    if found is None:
        return [error("interface-missing", f"the interface has `{name}`, the program does not", Span(entry))]
    if isinstance(found, (ast.Import, ast.ImportFrom)):
        return []
    span = Span(entry, found.lineno)
    if isinstance(wanted, ast.ClassDef) and not isinstance(found, ast.ClassDef):
        return [error("interface-kind", f"`{name}` has to be a class", span)]
    if not isinstance(wanted, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return []
    if not isinstance(found, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return [error("interface-kind", f"`{name}` has to be a function", span)]
    expected, actual = _signature(wanted), _signature(found)
    if expected == actual:
        return []
    return [error("interface-signature", f"`{name}` has to take {expected}, it takes {actual}", span)]


def _signature(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """The parameters as source, without annotations and values of defaults: equal if and only if calls are alike."""
    arguments = function.args
    positional = arguments.posonlyargs + arguments.args
    required = len(positional) - len(arguments.defaults)
    shown = [_parameter(argument, index >= required) for index, argument in enumerate(positional)]
    if arguments.posonlyargs:
        shown.insert(len(arguments.posonlyargs), "/")
    if arguments.vararg is not None:
        shown.append(f"*{arguments.vararg.arg}")
    elif arguments.kwonlyargs:
        shown.append("*")
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults):
        shown.append(_parameter(argument, default is not None))
    if arguments.kwarg is not None:
        shown.append(f"**{arguments.kwarg.arg}")
    prefix = "async " if isinstance(function, ast.AsyncFunctionDef) else ""
    return f"{prefix}({', '.join(shown)})"


def _parameter(argument: ast.arg, has_default: bool) -> str:
    """One parameter as source, its default as `...`."""
    return f"{argument.arg}=..." if has_default else argument.arg
