"""The commands that help to begin: a first requirement file, and the schema that editors need.

In: the parsed options of `init` (spec, language, format) and of `schema` (none).
Out: new files and what to do next, or the schema, on standard output; faults on standard error;
the exit code, 0 or 2.
"""

import json
import os
import shlex
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from ai_coding import progress
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Language

SCHEMA = "ai_coding.schema.json"  # what init calls the schema beside a requirement file


def init(options: Namespace, env: Mapping[str, str]) -> int:
    """Write a first requirement file with tests; options: spec, language, format."""
    from ai_coding import languages

    path = str(options.spec)
    language = languages.find(options.language.lower())
    found = [] if language else [_unknown_language(options.language)]
    found += _bad_path(path)
    if language is None or found:
        progress.show(found)
        return 2
    files, found = _write(path, _rendered(Path(path).name, language))
    if found:
        progress.show(found)
        return 2
    if options.format == "json":
        print(json.dumps({"spec": path, "files": files}))
        return 0
    for file in files:
        print(f"{file}: written")
    print(f"  check it  ai_coding check {shlex.quote(path)}")
    print(f"  build it  ai_coding {shlex.quote(path)} -m MODEL")
    return 0


def schema(options: Namespace, env: Mapping[str, str]) -> int:
    """Print the JSON Schema of requirement files."""
    from ai_coding import jsonschema

    print(jsonschema.text(), end="")
    return 0


def _unknown_language(word: str) -> Diagnostic:
    from ai_coding import faults, languages

    hint = faults.nearest(word.lower(), list(languages.table()), "known")
    return error("unknown-language", f"unknown language {word!r}", help=hint)


def _bad_path(path: str) -> list[Diagnostic]:
    from ai_coding import paths

    file = Path(path).name
    if not file.endswith(".toml"):
        hint = f"call it {Path(path).stem}.toml"
        return [error("bad-path", f"{file!r} does not end in .toml", Span(path), hint)]
    name = file.removesuffix(".toml")
    if why := paths.problem(name):
        return [error("bad-path", f"no program can be called {name!r}: {why}", Span(path))]
    return []


def _rendered(file: str, language: Language) -> str:
    from importlib.resources import files

    from jinja2 import Environment, StrictUndefined

    template = files("ai_coding").joinpath("starter.j2").read_text(encoding="utf-8")
    environment = Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,
    )
    return environment.from_string(template).render(
        schema=SCHEMA, file=file, name=file.removesuffix(".toml"), language=language
    )


def _write(path: str, text: str) -> tuple[list[str], list[Diagnostic]]:
    """Write the requirement file and, where there is none, the schema: the files written, faults."""
    from ai_coding import jsonschema

    if fault := _create(path, text):
        return [], [fault]
    beside = Path(path).with_name(SCHEMA).as_posix()
    fault = _create(beside, jsonschema.text())
    if fault is None:
        return [path, beside], []
    if fault.code == "file-exists":
        return [path], []
    # All or nothing: else the next attempt would fail because of what this one left behind.
    os.unlink(path)
    return [], [fault]


def _create(path: str, text: str) -> Diagnostic | None:
    """Write a new file, whole or not at all; the fault, if it could not be written."""
    try:
        file = open(path, "xb")
        try:
            with file:
                file.write(text.encode("utf-8"))
        except BaseException:  # an interrupt, too, must not leave half a file
            os.unlink(path)
            raise
    except FileExistsError:
        hint = "edit it, or choose another name"
        return error("file-exists", "there is a file already", Span(path), hint)
    except OSError as fault:
        return error("cannot-write", f"cannot write: {fault.strerror}", Span(path))
    return None
