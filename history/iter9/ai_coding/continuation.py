"""How a reply that the token limit cut off is continued: what is asked next, how the parts join.

A build and the replay of its transcript both go by this one rule, which does no input or output:
a request is found by its digest, so both have to make the very same ones.

In: the first request and, one after the other, the replies to what is asked.
Out: the requests that are to be asked and, at the end, the whole text.
"""

import re
from collections.abc import Generator
from dataclasses import replace

from ai_coding import prompt
from ai_coding.ir import Reply, Request

MOST = 8  # continuations of one reply


def further(request: Request, text: str) -> Request:
    "The request that asks to go on behind text, which is all that was answered to request so far."
    return replace(request, messages=prompt.continuation(request.messages, text))


def whole(request: Request) -> Generator[Request, Reply, str]:
    "Yields what is to be asked, request first; is sent the Reply to each; returns the whole text."
    text = ""
    for continuations in range(MOST + 1):
        reply = yield further(request, text) if continuations else request
        before = text
        # Some servers return what they were given: such a part is the whole already.
        text = reply.text if reply.text.startswith(before) else before + reply.text
        # No request can carry a lone surrogate: it has no UTF-8.
        if reply.finish != "length" or text == before or re.search(r"[\ud800-\udfff]", text):
            break
    return text
