"""Says in plain words what happens in a build.

What a person reads on a terminal comes partly from strangers, so every character that could
control the terminal is replaced by a visible one.

In: a text that anyone may have written, or an event of a build and the number of characters
answered so far.
Out: the same text without control characters, or one plain line, empty for nothing to say.
"""

import re
from collections.abc import Mapping
from typing import Any

from ai_coding.diagnostic import count
from ai_coding.ir import Event

_VISIBLE: dict[int, int] = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"},
    0x7F: 0x2421,
    **{
        code: 0xFFFD
        for code in [
            *range(0x80, 0xA0),
            0x061C,
            0x200E,
            0x200F,
            *range(0x2028, 0x202F),
            *range(0x2066, 0x206A),
            *range(0xD800, 0xE000),
        ]
    },
}

# The line breaks of str.splitlines, which itself would drop one at the end, and the tab.
_BREAK_OR_TAB = r"\r\n|[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]"


def plain(text: str) -> str:
    """The text as a terminal may be given it: R1. As many characters as before."""
    return text.translate(_VISIBLE)


def words(event: Event, characters: int) -> str:
    """What a person is told of it in one line, plain; empty for nothing.

    characters: answered so far.
    """
    data = event.data
    said = ""
    match event.kind:
        case "started":
            said = data["why"]
        case "asked":
            said = _asked(data)
        case "token":
            said = f"{characters:,} characters answered"
        case "judged":
            errors = count(data["errors"], "error")
            said = f"{data['passed']} of {data['tests']} tests passed, {errors}"
        case "waits":
            said = f"waiting for {', '.join(data['needs'])}"
        case "testing":
            said = "running all tests against stage 1, which takes minutes"
        case "stage2":
            said = "stage 1 builds everything again from the recorded answers"
        case "interrupted":
            said = "stopping when the answers under way are here; Ctrl-C again stops at once"
    return plain(re.sub(_BREAK_OR_TAB, " ", said))


def _asked(data: Mapping[str, Any]) -> str:
    attempt = f"attempt {data['attempt']}, " if data["attempt"] > 1 else ""
    doing = "reading the answer kept from" if data["recorded"] else "asking"
    continuation = f", continuation {data['continuation']}" if data.get("continuation") else ""
    return f"{attempt}{doing} {data['model']}{continuation}"
