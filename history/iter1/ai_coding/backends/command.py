"""`command:WORDS`: any program that reads a prompt on standard input and prints an answer.

In: a Request whose model is `command:` and the words that start the program.
Out: what the program prints, piece by piece as it comes, then the Reply; or a ProviderError `command-failed`.
"""

import codecs
import contextlib
import os
import shlex
import subprocess
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO

from ai_coding.backends import ProviderError
from ai_coding.backends.manual import rendered
from ai_coding.ir import Reply, Request, Settings

_READ_BYTES = 65536


def answer(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply]:
    """Give the prompt to the program; what it prints is the reply if it exits with 0.

    Raises ProviderError `command-failed` if the program cannot be started or exits with anything else.
    """
    words = request.model.partition(":")[2]
    prompt = rendered(request).encode("utf-8")
    process = _started(words)
    assert process.stdin is not None and process.stdout is not None
    pieces: list[str] = []
    try:
        # Never joined: a descendant of the program may hold the pipe open, unread, long after the answer is complete.
        threading.Thread(target=_feed, args=(process.stdin, prompt), daemon=True).start()
        for piece in _decoded(process.stdout):
            pieces.append(piece)
            yield piece
        exit_code = process.wait()
    finally:
        # Only a program whose answer nobody waits for any more is still running here; one that has ended is left alone.
        process.kill()
        process.wait()
        process.stdout.close()
    if exit_code != 0:
        raise ProviderError(
            "command-failed",
            f"{words!r} ended with exit code {exit_code}",
            "see what it wrote to standard error, or run it by hand with a prompt on its standard input",
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
            "after `command:`, name an installed program and its arguments, quoted as for a shell",
        ) from error


def _feed(stdin: IO[bytes], prompt: bytes) -> None:
    # A program need not read its prompt to the end. Not only BrokenPipeError: some systems say "invalid argument".
    # Closing is inside, as it writes what is still buffered and so can fail in the same way.
    with contextlib.suppress(OSError), stdin:
        stdin.write(prompt)


def _decoded(stdout: IO[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    # Not stdout.read: that would wait until as many bytes as asked for are there.
    while data := os.read(stdout.fileno(), _READ_BYTES):
        if text := decoder.decode(data):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text
