"""Whether a request fits into what its model can read and write at once.

A model with a small window cuts a long request off, or refuses it after it was sent. Where the
requirement file says how large the window is, a request that does not fit is told beforehand,
with the parts of it that take the most room.

In: a Spec, with the size of the window in tokens, and the messages of a request made for it.
Out: a Diagnostic that says by how much the request is too long and what to shorten, or None.
"""

from collections.abc import Iterable, Sequence

from ai_coding import prompt
from ai_coding.diagnostic import Diagnostic, error
from ai_coding.ir import Message, Spec, Test

_MOST_RESERVED = 8_000
_PARTS_TOLD = 3


def problem(spec: Spec, messages: Sequence[Message]) -> Diagnostic | None:
    "Why this request must not be sent; None if it fits."
    window = spec.context_window
    if window <= 0:
        return None
    total = prompt.tokens(messages)
    reserve = _reserve(spec)
    if total + reserve <= window:
        return None
    return error(
        "too-long",
        f"the request has about {total:,} tokens; with {reserve:,.0f} for the answer "
        f"it does not fit into the context window of {window:,}",
        help=f"what takes the most: {_largest(spec, total)}",
    )


def _reserve(spec: Spec) -> float:
    """The tokens kept free for the answer."""
    wanted = spec.parameters.get("max_tokens", 0)
    return wanted if wanted > 0 else min(spec.context_window // 4, _MOST_RESERVED)


def _largest(spec: Spec, total: int) -> str:
    parts = _parts(spec)
    rest = total - sum(size for _, size in parts)
    parts.append(("all else, such as the program so far", rest))
    # The sort is stable, in reverse too: of equal parts the one that comes first stays first.
    ranked = sorted(parts, key=lambda part: part[1], reverse=True)
    return ", ".join(f"{name} {size:,}" for name, size in ranked[:_PARTS_TOLD] if size > 0)


def _parts(spec: Spec) -> list[tuple[str, int]]:
    """What of the requirement file goes into a request, each part with its size in tokens."""
    parts = [
        ("what the workspace shares", _size(spec.shared.values())),
        ("requirements", _size(spec.requirements.values())),
        ("specs", _size(spec.specs.values())),
        ("hints", _size(spec.hints.values())),
        ("interface", _size([spec.interface])),
    ]
    parts += [(f"the interface of {use.name}", _size([use.interface])) for use in spec.uses]
    parts += [(f"the file {path}", _size([text])) for path, text in spec.context.items()]
    parts += [
        (f"test {test.name!r}", _size(_texts(test))) for test in spec.tests if not test.held_out
    ]
    return parts


def _texts(test: Test) -> list[str]:
    return [
        test.stdin,
        test.stdout or "",
        *test.files.values(),
        *test.creates.values(),
        *(data.decode("utf-8", "replace") for data in test.copy.values()),
    ]


def _size(texts: Iterable[str]) -> int:
    return prompt.tokens([Message("user", text) for text in texts])
