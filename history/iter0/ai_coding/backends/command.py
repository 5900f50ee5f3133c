"""`command:WORDS`: any program that reads a prompt and prints an answer. In: a Request. Out: a Reply."""

import codecs
import shlex
import subprocess
import threading
from collections.abc import Generator
from pathlib import Path

from ai_coding.backends import ProviderError
from ai_coding.backends.manual import rendered
from ai_coding.ir import Reply, Request, Settings


def answer(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply]:
    """Give the prompt on standard input; what the program prints is the reply, if it exits with 0."""
    words = request.model.partition(":")[2]
    prompt = rendered(request).encode()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = list[str]()
    try:
        process = subprocess.Popen(shlex.split(words), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    except (OSError, ValueError, IndexError) as e:
        raise ProviderError("command-failed", f"cannot start {words!r}: {e}", "check the words after `command:`") from e
    assert process.stdout
    threading.Thread(target=_feed, args=(process, prompt), daemon=True).start()
    while data := process.stdout.read1(65536):  # type: ignore[attr-defined]
        text.append(decoder.decode(data))
        yield text[-1]
    text.append(decoder.decode(b"", final=True))
    code = process.wait()
    if code != 0:
        raise ProviderError("command-failed", f"{words!r} ended with exit code {code}", "run it by hand to see why")
    return Reply("".join(text), "stop", words)


def _feed(process: subprocess.Popen[bytes], prompt: bytes) -> None:
    assert process.stdin
    try:
        with process.stdin:
            process.stdin.write(prompt)
    except BrokenPipeError:
        pass
