"""Diagnostics as a SARIF 2.1.0 log, which code hosts and editors show in the lines concerned.

In: diagnostics, in the order in which they are to be shown; what is known about their codes.
Out: the text of one JSON object, in ASCII, without a line end at its end.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from ai_coding import __version__
from ai_coding.diagnostic import Diagnostic, Span
from ai_coding.explanations import find

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def log(diagnostics: Sequence[Diagnostic]) -> str:
    """The text of a SARIF 2.1.0 log, of any number of diagnostics, even none."""
    codes = dict.fromkeys(each.code for each in diagnostics)
    indexes = {code: index for index, code in enumerate(codes)}
    driver = {
        "name": "ai_coding",
        "version": __version__,
        "rules": [_rule(code) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        # A column counts characters; without this, readers take it for units of UTF-16.
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, indexes[each.code]) for each in diagnostics],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(code: str) -> dict[str, object]:
    rule: dict[str, object] = {"id": code}
    explanation = find(code)
    if explanation is not None:
        rule["shortDescription"] = {"text": explanation.title}
        rule["help"] = {"text": explanation.text, "markdown": explanation.text}
    return rule


def _result(diagnostic: Diagnostic, rule_index: int) -> dict[str, object]:
    # The help of a rule is that of all its results: what is to be done about this one has no
    # place in SARIF but its message.
    helps = [f"help: {line}" for line in diagnostic.help.splitlines()]
    result: dict[str, object] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule_index,
        "level": diagnostic.severity,
        "message": {"text": "\n".join([diagnostic.message, *helps])},
    }
    if diagnostic.span is not None:
        result["locations"] = [{"physicalLocation": _place(diagnostic.span)}]
    return result


def _place(span: Span) -> dict[str, object]:
    place: dict[str, object] = {"artifactLocation": {"uri": _uri(span.file)}}
    if span.line != 0:
        place["region"] = {
            "startLine": span.line,
            "startColumn": span.column,
            "endColumn": span.column + max(span.length, 1),
        }
    return place


def _uri(file: str) -> str:
    path = Path(file)
    if path.is_absolute():
        return path.as_uri()
    # Surrogates stand for bytes of the path that are no UTF-8: they become these bytes again.
    return quote(path.as_posix(), safe="/", encoding="utf-8", errors="surrogateescape")
