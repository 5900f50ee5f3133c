"""The files of toml-test: what is not TOML is told with its place, and what is TOML is read."""

import json
from pathlib import Path

import pytest
from ai_coding import toml

SUITE = json.loads(Path(__file__).with_name("toml-test.json").read_text("utf-8"))


def test_the_suite_is_whole() -> None:
    assert (len(SUITE["valid"]), len(SUITE["invalid"])) == (220, 492) and "Copyright" in SUITE["license"]


@pytest.mark.parametrize("name", SUITE["invalid"])
def test_what_is_not_toml_is_told_with_its_place(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(SUITE["invalid"][name].encode("utf-8", "surrogateescape"))
    values, places, faults = toml.parse(path, "x.toml")
    assert (values, places) == ({}, {}) and [fault.severity for fault in faults] == ["error"]
    assert faults[0].code in ("toml-syntax", "toml-encoding") and faults[0].span and faults[0].span.line > 0


@pytest.mark.parametrize("name", SUITE["valid"])
def test_what_is_toml_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(SUITE["valid"][name].encode("utf-8", "surrogateescape"))
    values, places, faults = toml.parse(path, "x.toml")
    assert faults == [] and {key for key, *rest in places if not rest} <= set(values)
