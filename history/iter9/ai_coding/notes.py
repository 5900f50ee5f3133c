"""What a requirement file leaves open: notes for its author, never errors.

A requirement that no test covers and a word that can mean many things are pointed out, each at its
place in the file. Notes may be wrong, so they are few and stop nothing.

In: a Spec of a file without faults, and that file, read once more for the places in it.
Out: Diagnostics of severity `note`, in the order of the requirements.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from ai_coding import toml
from ai_coding.diagnostic import Diagnostic, Span
from ai_coding.ir import Spec

VAGUE = (
    "appropriate", "appropriately", "reasonable", "reasonably", "user-friendly", "robust",
    "robustly", "fast", "quickly", "efficient", "efficiently", "intuitive", "intuitively",
    "gracefully", "seamlessly", "flexible", "as needed", "as necessary", "if necessary",
    "if possible", "and so on", "and so forth", "etc",
)

# Characters, for a class of a regular expression, that may not stand beside a vague word. In the
# file quotes may: they are those of the TOML string.
_BESIDE_IN_FILE = r"\w/`\-"
_BESIDE_IN_TEXT = _BESIDE_IN_FILE + "\"'"

# What has to follow a vague word: no digit up to the sentence's end, or an explanation.
_UNMEASURED = r"(?!(?:[^\d.!?]|[.!?](?=\S))*\d)"
_EXPLANATION = r"(?::|\s+means\b|\s+\()"


def find(spec: Spec) -> list[Diagnostic]:
    "The notes on a requirement file; [] if spec.notes is false."
    if not spec.notes:
        return []
    file = _called(spec.path)
    try:
        source = spec.path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return []
    values, places, errors = toml.parse(spec.path, file)
    if errors:
        return []
    lines = source.replace("\r\n", "\n").split("\n")
    covered = {name for test in spec.tests for name in test.covers}
    words = _unexplained(spec)
    notes: list[Diagnostic] = []
    for name, text in spec.requirements.items():
        key = _place(name, values, places, file)
        if name and covered and name not in covered:
            notes.append(_not_covered(name, key))
        block = _block(key, places, lines)
        notes += [_vague_word(word, _locate(word, key, block)) for word in _vague(text, words)]
    return notes


def _called(path: Path) -> str:
    whole = Path(os.path.abspath(path))
    here = Path.cwd()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)


def _not_covered(name: str, place: Span) -> Diagnostic:
    # A JSON string is a TOML string too, whatever the name holds.
    quoted = json.dumps(name, ensure_ascii=False)
    message = f"no test covers requirement {name!r}"
    way_out = f"add covers = [{quoted}] to the test that shows it"
    return Diagnostic("note", "not-covered", message, place, way_out)


def _vague_word(word: str, place: Span) -> Diagnostic:
    message = f"`{word}` can mean many things"
    way_out = "say what counts, with a number or an example"
    return Diagnostic("note", "vague-word", message, place, way_out)


def _pattern(word: str, beside: str, then: str) -> re.Pattern[str]:
    """Finds word if no character of the class beside is next to it and then matches behind it."""
    spaced = r"\s+".join(re.escape(part) for part in word.split())
    return re.compile(rf"(?<![{beside}]){spaced}(?![{beside}]){then}", re.IGNORECASE)


def _unexplained(spec: Spec) -> list[str]:
    """Those of VAGUE that no text of the Spec explains."""
    parts = (spec.requirements, spec.specs, spec.hints, spec.shared)
    texts = [text for part in parts for text in part.values()]
    words: list[str] = []
    for word in VAGUE:
        explained = _pattern(word, _BESIDE_IN_TEXT, _EXPLANATION)
        if not any(explained.search(text) for text in texts):
            words.append(word)
    return words


def _vague(text: str, words: list[str]) -> list[str]:
    """Those of words that count in the text, in the order in which they first do."""
    firsts: list[tuple[int, str]] = []
    for word in words:
        match = _pattern(word, _BESIDE_IN_TEXT, _UNMEASURED).search(text)
        if match:
            firsts.append((match.start(), word))
    return [word for _, word in sorted(firsts)]


def _place(
    name: str, values: dict[str, Any], places: dict[toml.KeyPath, Span], file: str
) -> Span:
    """The place of the requirement's key; the file, line 0, if the key has gone meanwhile."""
    heads: list[tuple[toml.KeyPath, Any]] = [
        (("requirements",), values),
        (("project", "requirements"), values.get("project")),
    ]
    for head, table in heads:
        value = table.get("requirements") if isinstance(table, dict) else None
        if isinstance(value, dict) and name in value:
            return places[head + (name,)]
        if isinstance(value, str) and not name:
            return places[head]
    return Span(file)


def _block(key: Span, places: dict[toml.KeyPath, Span], lines: list[str]) -> str:
    """The lines from the key's on, up to the next one that has the place of another key."""
    if not key.line:
        return ""
    later = (place.line for place in places.values() if place.line > key.line)
    end = min(later, default=len(lines) + 1)
    return "\n".join(lines[key.line - 1:end - 1])


def _locate(word: str, key: Span, block: str) -> Span:
    """Where the word first stands in the block, from the key on; else the key's place."""
    match = _pattern(word, _BESIDE_IN_FILE, _UNMEASURED).search(block, key.column - 1)
    if not match:
        return key
    start = match.start()
    above = block.count("\n", 0, start)
    column = start - block.rfind("\n", 0, start)
    length = len(match[0].split("\n")[0])
    return Span(key.file, key.line + above, column, length, block.split("\n")[above])
