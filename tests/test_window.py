"""A request that does not fit into the context window is told, with what takes the most room."""

from pathlib import Path
from typing import Any

import pytest
from ai_coding import window
from ai_coding.ir import Language, Message, Spec, Use
from ai_coding.ir import Test as Case


def spec(size: int, **fields: Any) -> Spec:
    text = {"requirements": {"": "r" * 30}, **fields}
    return Spec(path=Path("x.toml"), name="x", language=Language("c", "c"), context_window=size, **text)


def asked(tokens: int) -> tuple[Message, ...]:
    return Message("system", "s" * tokens), Message("user", "u" * (2 * tokens + 2))


@pytest.mark.parametrize(
    ("size", "parameters", "most"),
    [
        (1000, {"max_tokens": 300}, 700), (1000, {"max_tokens": 0}, 750), (1001, {}, 751), (1003, {}, 753),
        (32_000, {}, 24_000), (40_000, {"seed": 1}, 32_000), (40_000, {"max_tokens": 32_000}, 8_000),
        (10, {"max_tokens": 10}, 0),
    ],
)  # fmt: skip
def test_what_fits(size: int, parameters: dict[str, float], most: int) -> None:
    """The answer is reserved max_tokens, else a quarter of the window, at most 8,000 tokens."""
    unit = spec(size, parameters=parameters)
    assert window.problem(unit, asked(most)) is None
    found = window.problem(unit, asked(most + 1))
    assert found and (found.severity, found.code, found.span) == ("error", "too-long", None)
    assert found.message == (
        f"the request has about {most + 1:,} tokens; with {size - most:,} for the answer "
        f"it does not fit into the context window of {size:,}"
    )


def test_an_unknown_window_is_never_too_small() -> None:
    assert window.problem(spec(0), asked(10**6)) is None and window.problem(spec(-5), asked(9)) is None


REST = "all else, such as the program so far"


@pytest.mark.parametrize(
    ("fields", "most"),
    [
        ({}, f"{REST} 1,990, requirements 10"),
        ({"requirements": {"a": "x" * 2000, "b": "y" * 4000}}, "requirements 2,000"),
        ({"shared": {"h": "x" * 900}, "specs": {"": "x" * 600}, "hints": {"": "x" * 900}},
         f"{REST} 1,190, what the workspace shares 300, hints 300"),
        ({"interface": "x" * 3000, "uses": (Use(Path("u.toml"), "p/u", "x" * 1500),)},
         f"interface 1,000, the interface of p/u 500, {REST} 490"),
        ({"context": {"d/a.sql": "x" * 4500}}, f"the file d/a.sql 1,500, {REST} 490, requirements 10"),
        ({"tests": (Case("it's", stdin="x" * 300, stdout="x" * 300, files={"a": "x" * 300}, creates={"b": "x" * 300},
                         copy={"c": b"\xff" * 3000}), Case("hidden", stdin="x" * 9000, held_out=True))},
         f'test "it\'s" 1,400, {REST} 590, requirements 10'),
    ],
)  # fmt: skip
def test_what_takes_the_most(fields: dict[str, Any], most: str) -> None:
    found = window.problem(spec(1500, **fields), asked(2000))
    assert found and found.help == f"what takes the most: {most}"
