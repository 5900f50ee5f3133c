"""SARIF logs: what the schema of SARIF 2.1.0 demands of the parts that are used, and what they say."""

import json
from pathlib import Path
from typing import Any

import pytest
from ai_coding import __version__, sarif
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.explanations import find
from hypothesis import given, settings
from hypothesis import strategies as st

# Of the schema: for each object, its required and its other properties, as far as they are of use here; it allows none
# but its own. A name in capitals is another row of this table; one in a list is that of its items.
TEXT, NUMBER = str, int
SCHEMA: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "LOG": ({"version": TEXT, "runs": ["RUN"]}, {"$schema": TEXT}),
    "RUN": ({"tool": "TOOL"}, {"results": ["RESULT"], "columnKind": TEXT}),
    "TOOL": ({"driver": "DRIVER"}, {}),
    "DRIVER": ({"name": TEXT}, {"version": TEXT, "informationUri": TEXT, "rules": ["RULE"]}),
    "RULE": ({"id": TEXT}, {"shortDescription": "WORDS", "fullDescription": "WORDS", "help": "WORDS"}),
    "WORDS": ({"text": TEXT}, {"markdown": TEXT}),
    "RESULT": ({"message": "WORDS"}, {"ruleId": TEXT, "ruleIndex": NUMBER, "level": TEXT, "locations": ["LOCATION"]}),
    "LOCATION": ({}, {"physicalLocation": "PHYSICAL"}),
    "PHYSICAL": ({"artifactLocation": "ARTIFACT"}, {"region": "REGION"}),
    "ARTIFACT": ({"uri": TEXT}, {"uriBaseId": TEXT}),
    "REGION": ({"startLine": NUMBER}, {"startColumn": NUMBER, "endLine": NUMBER, "endColumn": NUMBER}),
}
FIXED = settings(derandomize=True, deadline=None)


def check(value: Any, kind: Any) -> None:
    """That value has the form of kind: a row of the table, a list of such, or a type."""
    if isinstance(kind, list):
        assert isinstance(value, list)
        for each in value:
            check(each, kind[0])
    elif isinstance(kind, str):
        required, others = SCHEMA[kind]
        assert isinstance(value, dict) and set(required) <= set(value) <= {*required, *others}, value
        for key, each in value.items():
            check(each, {**required, **others}[key])
    else:
        assert type(value) is kind, value


def run(*diagnostics: Diagnostic) -> dict[str, Any]:
    """The one run of the log, which is as the schema has it."""
    text = sarif.log(diagnostics)
    assert text == sarif.log(list(diagnostics)) and text.isascii() and not text.endswith("\n")
    log = json.loads(text)
    assert text == json.dumps(log, indent=2)
    check(log, "LOG")
    assert log["version"] == "2.1.0" and log["$schema"].endswith("/sarif-schema-2.1.0.json")
    (made,) = log["runs"]
    rules, results = made["tool"]["driver"]["rules"], made["results"]
    assert len(results) == len(diagnostics) and made["columnKind"] == "unicodeCodePoints"
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in results:
        assert result["level"] in ("error", "warning", "note")
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        for location in result.get("locations", []):
            region = location["physicalLocation"].get("region", {"startLine": 1, "startColumn": 1, "endColumn": 2})
            assert min(region.values()) >= 1 and region["endColumn"] > region["startColumn"]
    return dict(made)


def test_a_log_of_nothing_says_that_nothing_was_found() -> None:
    driver = {"name": "ai_coding", "version": __version__, "rules": []}
    assert run() == {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": []}


def test_a_result_and_its_rule() -> None:
    span = Span("sub/é x.toml", 12, 3, 4, "  name = 1")
    made = run(Diagnostic("warning", "unknown-key", "no `name`\nmore", span, "one\ntwo"))
    each = find("unknown-key")
    assert each is not None and made["tool"]["driver"]["rules"] == [
        {
            "id": "unknown-key",
            "shortDescription": {"text": each.title},
            "help": {"text": each.text, "markdown": each.text},
        }
    ]
    place = {
        "artifactLocation": {"uri": "sub/%C3%A9%20x.toml"},
        "region": {"startLine": 12, "startColumn": 3, "endColumn": 7},
    }
    assert made["results"] == [
        {
            "ruleId": "unknown-key",
            "ruleIndex": 0,
            "level": "warning",
            "message": {"text": "no `name`\nmore\nhelp: one\nhelp: two"},
            "locations": [{"physicalLocation": place}],
        }
    ]


def test_a_rule_for_each_code_in_the_order_they_come() -> None:
    codes = ["cycle", "flake8-E501", "cycle", "nobody-knows", "flake8-E501"]
    made = run(*(error(code, "m") for code in codes))
    rules = made["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["cycle", "flake8-E501", "nobody-knows"] and list(rules[2]) == ["id"]
    assert rules[1]["shortDescription"]["text"] == "flake8 says so"
    assert [result["ruleIndex"] for result in made["results"]] == [0, 1, 0, 2, 1]
    assert made["results"][0]["message"] == {"text": "m"} and "locations" not in made["results"][0]


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("a.toml", "a.toml"), ("../a/b-c_d~.toml", "../a/b-c_d~.toml"), ("./a", "a"), ("c:d", "c%3Ad"),
        ("a?b#c", "a%3Fb%23c"),
        ("100%", "100%25"), ("\udcff.toml", "%FF.toml"), ("it's", "it%27s"), (str(Path("a", "b")), "a/b"),
    ],
)  # fmt: skip
def test_places_are_uris(file: str, uri: str) -> None:
    (result,) = run(error("a", "b", Span(file)))["results"]
    assert result["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": uri}}}]


def test_a_path_from_the_root_is_a_file_uri(tmp_path: Path) -> None:
    (result,) = run(error("a", "b", Span(str(tmp_path / "a b.toml"), 1)))["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == tmp_path.as_uri() + "/a%20b.toml"
    assert place["region"] == {"startLine": 1, "startColumn": 1, "endColumn": 2}


SPANS = st.builds(
    Span, st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 9), st.integers(1, 9), st.integers(0, 9)
)
MADE = st.builds(
    Diagnostic, st.sampled_from(["error", "warning", "note"]), st.text(), st.text(), st.none() | SPANS, st.text()
)


@FIXED
@given(st.lists(MADE, max_size=4))
def test_any_diagnostics_make_a_valid_log(diagnostics: list[Diagnostic]) -> None:
    made = run(*diagnostics)
    for diagnostic, result in zip(diagnostics, made["results"], strict=True):
        assert result["message"]["text"].startswith(diagnostic.message) and result["ruleId"] == diagnostic.code
