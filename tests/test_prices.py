"""Prices come from an offline table; what is not known is not nothing."""

import subprocess
import sys

import pytest
from ai_coding import prices, providers
from ai_coding.ir import Message, Reply, Request
from genai_prices import Usage, calc_price


def request(model: str, text: str = "", **parameters: float) -> Request:
    return Request(model, 1, parameters, (Message("user", text),))


def table(name: str, provider: str, tokens_in: int, tokens_out: int) -> float:
    found = calc_price(Usage(input_tokens=tokens_in, output_tokens=tokens_out), model_ref=name, provider_id=provider)
    return float(found.total_price)


PRICED = [
    ("openai", "gpt-5", "openai"), ("groq", "openai/gpt-oss-20b", "groq"), ("deepseek", "deepseek-chat", "deepseek"),
    ("gemini", "gemini-2.5-pro", "google"), ("anthropic", "claude-opus-4-5", "anthropic"),
    ("openrouter", "anthropic/claude-opus-4.5", "openrouter"), ("mistral", "mistral-large-latest", "mistral"),
    ("xai", "grok-4-0709", "x-ai"),
]  # fmt: skip


def test_every_provider_with_a_key_has_prices() -> None:
    assert [provider for provider, _, _ in PRICED] == [row.name for row in providers.table().values() if row.key]


@pytest.mark.parametrize(("provider", "name", "theirs"), PRICED)
def test_the_price_of_a_token(provider: str, name: str, theirs: str) -> None:
    found = prices.rate(f"{provider}:{name}", {}, 1000)
    assert found and 0 < found[0] < found[1] < 1e-3
    assert found[0] * 1000 + found[1] * 50 == pytest.approx(table(name, theirs, 1000, 50))
    other = {row.address[0]: "http://localhost:1" for row in providers.table().values()}
    assert prices.rate(f"{provider}:{name}", other, 1000) is None
    assert prices.rate(f"{provider}:{name}", dict.fromkeys(other, ""), 1000) == found


def test_a_long_prompt_may_cost_more() -> None:
    short, long = (prices.rate("gemini:gemini-2.5-pro", {}, tokens) for tokens in (1000, 400_000))
    assert short and long and long[0] > short[0]
    for tokens, found in ((1000, short), (400_000, long)):
        assert tokens * found[0] + 10 * found[1] == pytest.approx(table("gemini-2.5-pro", "google", tokens, 10))


@pytest.mark.parametrize(
    "model",
    ["", "gpt-5", "openai:gpt-99", "nobody:gpt-5", "google:gemini-2.5-pro", "command:llm", "openai:", ":gpt-5",
     "ollama:", "ollama:gpt-oss:120b-cloud", "ollama:glm-4.6:cloud"],
)  # fmt: skip
def test_no_price_is_guessed(model: str) -> None:
    assert prices.rate(model, {}, 1) is None
    assert prices.cost(model, {}, Reply("x", input_tokens=5)) is None
    assert prices.at_most(request(model), {}) is None


@pytest.mark.parametrize("model", ["manual", "local:a.gguf", "ollama:qwen3:8b", "lmstudio:x", "vllm:x", "llamacpp:x"])
def test_what_costs_nothing(model: str) -> None:
    """What a person writes, and what one's own machine computes."""
    assert prices.rate(model, {}, 10) == (0.0, 0.0)
    assert prices.cost(model, {}, Reply("x")) == 0.0 == prices.at_most(request(model, "x" * 999), {})


def test_another_address_of_a_local_server_may_cost_something() -> None:
    assert prices.rate("ollama:qwen3", {"OLLAMA_API_URL": "https://ollama.com/v1"}, 10) is None
    assert prices.rate("ollama:qwen3", {"OLLAMA_API_URL": "", "VLLM_API_URL": "http://box/v1"}, 10) == (0.0, 0.0)


def test_what_a_reply_cost() -> None:
    assert prices.cost("openai:gpt-5", {}, Reply("x", input_tokens=1000, output_tokens=50)) == pytest.approx(
        table("gpt-5", "openai", 1000, 50)
    )
    assert prices.cost("openai:gpt-5", {}, Reply("x", output_tokens=1)) == pytest.approx(table("gpt-5", "openai", 0, 1))
    assert prices.cost("openai:gpt-5", {}, Reply("x")) is None, "tokens that nobody reported are not free"


def test_what_a_request_can_cost() -> None:
    text = "x" * 3000
    assert prices.at_most(request("openai:gpt-5", text), {}) == pytest.approx(table("gpt-5", "openai", 1000, 32_000))
    limited = prices.at_most(request("openai:gpt-5", text, max_tokens=100), {})
    assert limited == pytest.approx(table("gpt-5", "openai", 1000, 100))


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "$0"), (0.01234, "$0.0124"), (0.0123, "$0.0123"), (0.00001, "$0.0001"), (1, "$1.00"), (12.3, "$12.30"),
     (1234.5, "$1,234.50"), (0.99999, "$1.00")],
)  # fmt: skip
def test_dollars_for_people(amount: float, text: str) -> None:
    assert prices.dollars(amount) == text


def test_the_table_is_read_only_for_a_price() -> None:
    code = (
        "import sys\nfrom ai_coding import prices\n"
        "for model in ('manual', 'command:x', 'local:x', 'ollama:x'):\n    prices.rate(model, {}, 1)\n"
        "prices.dollars(1)\nassert 'genai_prices' not in sys.modules\nprices.rate('openai:gpt-5', {}, 1)\n"
        "assert 'genai_prices' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
