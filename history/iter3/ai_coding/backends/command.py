"""`command:WORDS`: any program that reads a prompt on standard input and prints an answer.

In: a request whose model is `command:` and the words of a command line; no shell runs them.
Out: pieces of text as the program prints them, then the Reply; ProviderError `command-failed` if
the program cannot be started or ends with another exit code than 0.
"""

import os
import shlex
from codecs import getincrementaldecoder
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, Popen, SubprocessError
from threading import Thread
from typing import IO

from ai_coding.backends import ProviderError
from ai_coding.backends.manual import rendered
from ai_coding.ir import Reply, Request, Settings

_CHUNK = 65536  # bytes, at most, that one piece is made of


def answer(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply]:
    "Give the prompt to the program; what it prints is the reply if it exits with 0."
    words = request.model.partition(":")[2]
    # A reply that the prompt quotes may hold lone surrogates, which UTF-8 has no bytes for.
    prompt = rendered(request).encode("utf-8", "replace")
    process = _started(words)
    assert process.stdin is not None and process.stdout is not None
    decoder = getincrementaldecoder("utf-8")("replace")
    pieces: list[str] = []
    try:
        # A daemon that nobody joins: a child of the program may hold the pipe and never read it.
        Thread(target=_write, args=(process.stdin, prompt), daemon=True).start()
        while True:
            # Not stdout.read(), which would wait until the whole chunk is there.
            chunk = os.read(process.stdout.fileno(), _CHUNK)
            piece = decoder.decode(chunk, final=not chunk)
            if piece:
                pieces.append(piece)
                yield piece
            if not chunk:
                break
        code = process.wait()
    finally:
        # Does nothing to a program that has ended; one whose answer nobody awaits must not stay.
        process.kill()
        process.wait()
        process.stdout.close()
    if code != 0:
        raise ProviderError(
            "command-failed",
            f"{words!r} ended with exit code {code}",
            "see what it wrote to standard error, or run it by hand with a prompt as its input",
        )
    return Reply("".join(pieces), "stop", words)


def _started(words: str) -> Popen[bytes]:
    try:
        args = shlex.split(words)
        if not args:
            raise ValueError("no program is named")
        return Popen(args, stdin=PIPE, stdout=PIPE)
    except (OSError, ValueError, SubprocessError) as error:
        raise ProviderError(
            "command-failed",
            f"cannot start {words!r}: {error}",
            "write command: and then a program that is installed, with its arguments, "
            "quoted as for a shell",
        ) from error


def _write(stdin: IO[bytes], prompt: bytes) -> None:
    # A program need not read its input: when it is gone, writing fails, and closing once more.
    with suppress(OSError), stdin:
        stdin.write(prompt)
