"""The backend `command:WORDS`: any program that reads a prompt and prints an answer.

In: a request; all of its model after the first colon is the command line of a program, which is
run without a shell and finds the texts of the messages on its standard input.
Out: what the program prints, piece by piece, and then as one reply; or a ProviderError if the
program cannot be started or does not end with exit code 0.
"""

import codecs
import os
import shlex
import subprocess
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import IO

from ai_coding.backends import ProviderError
from ai_coding.backends.manual import rendered
from ai_coding.ir import Reply, Request, Settings

_PIECE_BYTES = 65536


def answer(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply]:
    """Give the prompt to the program; what it prints is the reply if it exits with 0.

    Raises ProviderError `command-failed` if it cannot be started or exits with anything else.
    """
    words = request.model.partition(":")[2]
    prompt = rendered(request).encode("utf-8")
    process = _started(words)
    assert process.stdin is not None and process.stdout is not None
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    pieces: list[str] = []
    try:
        # A daemon, never joined: a grandchild may hold the pipe open for ever and not read it.
        Thread(target=_feed, args=(process.stdin, prompt), daemon=True).start()
        with process.stdout as output:
            data = b"?"
            while data:
                # Unlike a buffered read, this returns as soon as anything was printed.
                data = os.read(output.fileno(), _PIECE_BYTES)
                if piece := decoder.decode(data, final=not data):
                    pieces.append(piece)
                    yield piece
        code = process.wait()
    finally:
        # Does nothing to a program that has ended; one that nobody listens to must not live on.
        process.kill()
        process.wait()
    if code != 0:
        raise ProviderError(
            "command-failed",
            f"{words!r} ended with exit code {code}",
            "see what the program wrote to standard error, or try it by hand with a short prompt",
        )
    return Reply("".join(pieces), "stop", words)


def _started(words: str) -> subprocess.Popen[bytes]:
    try:
        arguments = shlex.split(words)
        if not arguments:
            raise ValueError("no program is named")
        return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ProviderError(
            "command-failed",
            f"cannot start {words!r}: {error}",
            "after `command:` write a program that can be run from here, and its arguments,"
            " quoted as for a shell",
        ) from error


def _feed(pipe: IO[bytes], prompt: bytes) -> None:
    # The program need not read its input to the end; closing flushes, so that may break as well.
    with suppress(BrokenPipeError), pipe:
        pipe.write(prompt)
