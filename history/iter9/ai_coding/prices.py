"""What a request costs, and what it could cost at most, from a table of prices that is offline.

In: a model as typed, the provider variables of the settings, and a request or a reply.
Out: US dollars, or None where no price is known; and amounts of them as text for people.
"""

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal

from ai_coding import prompt, providers
from ai_coding.ir import Reply, Request

OUTPUT = 32_000  # tokens that a reply may have where nobody set a limit


def rate(model: str, env: Mapping[str, str], tokens: int) -> tuple[float, float] | None:
    """Dollars for one input token and for one output token, or None. env: as in Settings. tokens: of input."""
    provider, _, name = model.partition(":")
    if provider == "manual":
        return 0.0, 0.0
    if provider == "command" or not name:
        return None
    if provider == "local":
        return 0.0, 0.0
    row = providers.table().get(provider)
    if row is None:
        return None
    if row.address and env.get(row.address[0]):
        return None  # another endpoint may ask for other prices
    if not row.prices:
        # A server of one's own, but ollama passes cloud models on to a service that is paid for.
        return None if name.endswith("cloud") else (0.0, 0.0)
    import genai_prices  # takes 0.1 s

    counted = max(tokens, 1)  # the price of no tokens at all would not tell that of one
    usage = genai_prices.Usage(input_tokens=counted, output_tokens=1)
    try:
        found = genai_prices.calc_price(usage, model_ref=name, provider_id=row.prices)
    except LookupError:
        return None
    if found.total_price != found.input_price + found.output_price:
        return None  # a fee for each request comes on top, which no price of a token can express
    return float(found.input_price / counted), float(found.output_price)


def cost(model: str, env: Mapping[str, str], reply: Reply) -> float | None:
    """What a reply cost, in dollars, if it is known."""
    found = rate(model, env, reply.input_tokens)
    if found is None:
        return None
    if found != (0.0, 0.0) and reply.input_tokens == 0 and reply.output_tokens == 0:
        return None  # the provider did not report any tokens, which does not make them free
    return reply.input_tokens * found[0] + reply.output_tokens * found[1]


def at_most(request: Request, env: Mapping[str, str]) -> float | None:
    """What sending this request can cost, in dollars."""
    tokens = prompt.tokens(request.messages)
    found = rate(request.model, env, tokens)
    if found is None:
        return None
    return tokens * found[0] + request.parameters.get("max_tokens", OUTPUT) * found[1]


def dollars(amount: float) -> str:
    """For people: `$12.30`; below 1 with four digits behind the point, rounded up: `$0.0123`; `$0` for nothing."""
    if amount == 0:
        return "$0"
    if amount < 1:
        # Twelve digits: the noise in a sum of floats (0.1 + 0.2) must not be rounded up.
        exact = Decimal(f"{amount:.12g}")
        rounded = exact.quantize(Decimal("0.0001"), rounding=ROUND_CEILING)
        if rounded < 1:
            return f"${rounded:f}"
    return f"${amount:,.2f}"
