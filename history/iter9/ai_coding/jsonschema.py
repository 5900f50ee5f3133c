"""The format of requirement files as JSON Schema (draft 7), for editors.

In: the table of keys that requirement files are checked by, the names of strategies, critics and languages.
Out: one schema without references, as a value or as JSON text.
"""

import copy
import json
from typing import Any

from ai_coding import languages, schema

_TYPES: dict[str, dict[str, Any]] = {
    "a string": {"type": "string"},
    "a list of strings": {"type": "array", "items": {"type": "string"}},
    "a table of strings": {"type": "object", "additionalProperties": {"type": "string"}},
    "a string or a table of strings": {
        "type": ["string", "object"],
        "additionalProperties": {"type": "string"},
    },
    "true or false": {"type": "boolean"},
    "a number": {"type": "number"},
    "a whole number": {"type": "integer"},
    "a positive number": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1000000},
    "a positive whole number": {"type": "integer", "minimum": 1, "maximum": 999999999},
    "a regular expression": {"type": "string", "format": "regex"},
}


def rendered() -> dict[str, Any]:
    """The schema, as a value that json.dumps writes; a new one at each call."""
    top = _section("top")
    sections = top["properties"]
    build = sections["build"]["properties"]
    build["strategy"]["enum"] = list(schema.STRATEGIES)
    build["critics"]["items"]["enum"] = list(schema.CRITICS)
    # Only examples: an extension makes any language possible.
    sections["file"]["properties"]["language"]["examples"] = list(languages.table())
    sections["workspace"]["required"] = ["members"]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **top,
        "anyOf": [{"required": ["workspace"]}, _program()],
    }


def text() -> str:
    """The same as JSON, indented by two blanks, what is beyond ASCII as it is; a line feed ends it."""
    return json.dumps(rendered(), indent=2, ensure_ascii=False) + "\n"


def _section(name: str) -> dict[str, Any]:
    rows = schema.keys()[name]
    return {
        "type": "object",
        "properties": {
            key: {"description": line, **_value(key, kind)} for key, (kind, line) in rows.items()
        },
        "additionalProperties": False,
    }


def _value(key: str, kind: str) -> dict[str, Any]:
    if kind in _TYPES:
        # A copy, because callers may change what they are given.
        return copy.deepcopy(_TYPES[kind])
    section = _section(key)
    return {"type": "array", "items": section} if kind == "a list of tables" else section


def _program() -> dict[str, Any]:
    """What must be there in a file that is no workspace."""
    return {
        "required": ["file"],
        "properties": {"file": {"required": ["name", "language"]}},
        "anyOf": [
            {"required": ["requirements"]},
            {
                "required": ["project"],
                "properties": {"project": {"required": ["requirements"]}},
            },
        ],
    }
