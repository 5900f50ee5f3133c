"""The JSON Schema says of every key what the checks say of it."""

import json
from typing import Any

import pytest
from ai_coding import jsonschema, languages, schema

STRINGS = {"additionalProperties": {"type": "string"}}
TYPES: dict[str, dict[str, Any]] = {
    "a string": {"type": "string"},
    "a list of strings": {"type": "array", "items": {"type": "string"}},
    "a table of strings": {"type": "object", **STRINGS},
    "a string or a table of strings": {"type": ["string", "object"], **STRINGS},
    "true or false": {"type": "boolean"},
    "a number": {"type": "number"},
    "a whole number": {"type": "integer"},
    "a positive number": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1000000},
    "a positive whole number": {"type": "integer", "minimum": 1, "maximum": 999999999},
    "a regular expression": {"type": "string", "format": "regex"},
}
CHOSEN = ("strategy", "critics", "language")


def section(name: str) -> Any:
    found: Any = jsonschema.rendered()
    if name == "top":
        return found
    part = found["properties"][name]
    return part["items"] if name == "tests" else part


@pytest.mark.parametrize("name", schema.keys())
def test_every_key_has_its_type_and_its_line(name: str) -> None:
    shown, rows = section(name), schema.keys()[name]
    assert (shown["type"], shown["additionalProperties"]) == ("object", False)
    assert list(shown["properties"]) == list(rows)
    for key, (kind, line) in rows.items():
        value = shown["properties"][key]
        assert value["description"] == line
        if kind in TYPES and key not in CHOSEN:
            assert {**value, "description": ""} == {**TYPES[kind], "description": ""}, key
    assert section("top")["properties"]["tests"]["type"] == "array"


def test_what_can_be_chosen() -> None:
    build = section("build")["properties"]
    assert build["strategy"]["enum"] == list(schema.STRATEGIES) and build["critics"]["type"] == "array"
    assert build["critics"]["items"]["enum"] == list(schema.CRITICS)
    language = section("file")["properties"]["language"]
    assert language["examples"] == list(languages.table()) and "enum" not in language and language["type"] == "string"


def test_what_must_be_there() -> None:
    top = section("top")
    assert top["$schema"] == "http://json-schema.org/draft-07/schema#" and "required" not in top
    assert "required" not in section("file") and section("workspace")["required"] == ["members"]
    space, unit = top["anyOf"]
    assert space == {"required": ["workspace"]} and unit["required"] == ["file"]
    assert sorted(unit["properties"]["file"]["required"]) == ["language", "name"]
    assert sorted(sorted(each["required"]) for each in unit["anyOf"]) == [["project"], ["requirements"]]


def test_the_text() -> None:
    """It has no references, which some editors read badly, and says the same each time."""
    text = jsonschema.text()
    jsonschema.rendered()["properties"].clear()
    assert json.loads(text) == jsonschema.rendered() and text == jsonschema.text() and "$ref" not in text
    assert text.startswith('{\n  "') and text.endswith("\n}\n") and "…" in text
