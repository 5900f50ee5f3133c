"""Templates that a requirement file brings: read below a folder, tried before anything is sent.

In: the folder that a requirement file names; later the Spec with the texts of the templates in it.
Out: these texts and the files read; later all that is wrong with the templates, as diagnostics.
"""

import os
import re
import traceback
from pathlib import Path

from ai_coding import prompt, references
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.faults import Faults
from ai_coding.ir import Program, Spec

NAMES = ("system.j2", "request.j2")
VALUES = ("spec", "program", "changes", "problems", "tests")  # what prompt gives to a template

# What a template can raise besides Jinja's own errors. AssertionError: the filter `truncate`.
_RAISED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def read(faults: Faults, root: Path, folder: str) -> tuple[dict[str, str], list[Path]]:
    """The templates below root / folder: texts by their paths as written, FOLDER/NAME, and the
    real paths of the files read.

    Nothing raises, whatever folder is: what is wrong is added to faults.
    """
    folder = folder.rstrip("/")
    paths = [f"{folder}/{name}" for name in NAMES]
    # lexists is just False for a NUL, and leaves it to context to object to what is no file.
    there = [path for path in paths if os.path.lexists(root / path)]
    return references.context(faults, root, there or paths[-1:], ("build", "prompts"))


def check(spec: Spec, root: Path) -> list[Diagnostic]:
    """What is wrong with spec.prompts: R2, else R3. root: that of `read`."""
    if not spec.prompts:
        return []
    found = [each for path in spec.prompts for each in _parsed(spec, root, path)]
    return found or _rendered(spec, root)


def _parsed(spec: Spec, root: Path, path: str) -> list[Diagnostic]:
    """What is wrong with one template before it is given any values."""
    from jinja2 import TemplateError, TemplateSyntaxError, meta, nodes

    environment = prompt.environment(spec)
    try:
        tree = environment.parse(spec.prompts[path])
        # Before meta looks at the tree, since it drops names from expressions that it folds.
        places = [(node.name, node.lineno) for node in tree.find_all(nodes.Name)]
        places += [(node.name, node.lineno) for node in tree.find_all(nodes.NSRef)]
        names = meta.find_undeclared_variables(tree) - {*VALUES, *environment.globals}
    except TemplateSyntaxError as exc:
        return [_bad(spec, root, path, exc.lineno, f"not a template: {exc.message}")]
    except RecursionError:
        return [_bad(spec, root, path, 0, "not a template: it is nested too deep")]
    except (TemplateError, *_RAISED) as exc:
        # Constants are evaluated here already: an endless number, an attribute that is forbidden.
        return [_bad(spec, root, path, 0, f"not a template: {_why(exc)}")]
    first: dict[str, int] = {}
    for name, line in sorted(places):
        first.setdefault(name, line)
    known = f"known: {', '.join(VALUES)}"
    return [
        _bad(spec, root, path, line, f"`{name}` is undefined", known)
        for line, name in sorted((first.get(name, 0), name) for name in names)
    ]


def _rendered(spec: Spec, root: Path) -> list[Diagnostic]:
    """What the first request raises that cannot be made with the templates, if there is one."""
    from jinja2 import TemplateError

    text = "a line of text"
    program = Program({spec.entry: f"{text}\n"}, spec.entry)
    problem = error("tests", "a test failed", Span(spec.entry, 1, 1, len(text), text))
    try:
        prompt.generate(spec)
        prompt.generate(spec, program, "what has changed")
        prompt.repair(spec, program, [problem])
        prompt.repair(spec, None, [problem])
    except (TemplateError, *_RAISED) as exc:
        # Jinja rewrites the traceback: frames of a template have its path and its own lines.
        places = [
            (frame.f_code.co_filename, line)
            for frame, line in traceback.walk_tb(exc.__traceback__)
            if frame.f_code.co_filename in spec.prompts
        ]
        path, line = places[-1] if places else (list(spec.prompts)[-1], 0)
        return [_bad(spec, root, path, line, f"cannot be rendered: {_why(exc)}")]
    return []


def _why(exc: Exception) -> str:
    return str(exc) or type(exc).__name__


def _bad(
    spec: Spec, root: Path, path: str, line: int, message: str, help: str = ""
) -> Diagnostic:
    """line: counted from 1; one that the template does not have, as 0, is not known."""
    file = root / path
    if file.is_relative_to(Path.cwd()):
        file = file.relative_to(Path.cwd())
    # Not splitlines: it also splits where no line ends for Jinja.
    lines = re.split(r"\r\n|\r|\n", spec.prompts[path])
    if not 0 < line <= len(lines):
        return error("bad-template", message, Span(str(file)), help)
    text = lines[line - 1]
    return error("bad-template", message, Span(str(file), line, 1, max(1, len(text)), text), help)
