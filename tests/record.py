"""Records the session that the README shows: `python tests/record.py` writes examples/session.svg.

A real build runs in a pseudo-terminal, in a temporary folder; the model is a program that answers as slowly as one on a
network does. What it wrote to the terminal is replayed up to a few moments, and rich draws how it stood then.
"""

import os
import pty
import re
import select
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

REPO = Path(__file__).parent.parent
COLUMNS, LINES = 84, 16
SPEC = """\
[file]
name = "fizz"
language = "python"

[project]
requirements = "Print the numbers from 1 to 15, a line each, but Fizz, Buzz, FizzBuzz as usual."

[[tests]]
name = "starts with Fizz"
stdout_matches = "1\\n2\\nFizz\\n4\\nBuzz\\n"

[[tests]]
name = "ends with FizzBuzz"
stdout_matches = "14\\nFizzBuzz\\n$"
"""
FIRST = '''\
````python fizz.py
"""Prints Fizz, Buzz and numbers."""

for number in range(1, 15):
    words = "Fizz" * (number % 3 == 0) + "Buzz" * (number % 5 == 0)
    print(words or number)
````
'''
SECOND = """\
````search fizz.py
for number in range(1, 15):
````
````replace
for number in range(1, 16):
````
"""
MODEL = """
import sys, time
reply = {second!r} if "What is wrong" in sys.stdin.read() else {first!r}
for at in range(0, len(reply), 4):
    print(reply[at : at + 4], end="", flush=True)
    time.sleep(0.1)
"""
Shot = tuple[float, str]


def build(folder: Path, words: str) -> list[Shot]:
    """What the tool writes to its terminal, each piece with the second at which it came."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPO), "LANG": "C.UTF-8", "TERM": "xterm-256color"}
    env |= {"COLUMNS": str(COLUMNS), "LINES": str(LINES), "AI_CODING_JOURNAL": str(folder / "journal")}
    top, terminal = pty.openpty()
    command = [sys.executable, "-m", "ai_coding", *shlex.split(words)]
    shots: list[Shot] = []
    with subprocess.Popen(command, cwd=folder, env=env, stdin=-3, stdout=terminal, stderr=terminal) as run:
        os.close(terminal)
        begun, data = time.monotonic(), b""
        while select.select([top], [], [], 60)[0]:
            try:
                data += os.read(top, 65536)
            except OSError:
                break
            shots.append((time.monotonic() - begun, data.decode("utf-8", "ignore")))
    assert run.returncode == 0, data.decode()
    return shots


def screen(written: str) -> list[str]:
    """The lines that stand on a terminal, colours kept: rows are only ever overwritten from the line's beginning."""
    lines = [""]
    row = 0
    for part in re.split("(\x1b\\[[0-9;?]*[A-Za-z]|\r\n|\n|\r)", written):
        if part in ("\n", "\r\n"):
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\x1b[2K":
            lines[row] = ""
        elif re.fullmatch("\x1b\\[[0-9]*A", part):
            row = max(0, row - int(part[2:-1] or 1))
        elif part != "\r" and not part.endswith(("h", "l")) or not part.startswith("\x1b"):
            lines[row] += part if part != "\r" else ""
    return [line.rstrip() for line in lines]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "fizz.toml").write_text(SPEC)
        (folder / "model").write_text(f"#!{sys.executable}\n" + MODEL.format(first=FIRST, second=SECOND))
        (folder / "model").chmod(0o755)
        words = "fizz.toml -m command:./model"
        shots = build(folder, words)
        again = build(folder, words)
    # The moments: in the middle of the first answer, of the second one, and the end.
    first = next(text for _, text in shots if "% 5" in text)
    second = next(text for _, text in shots if "replace" in text.partition("attempt 2")[2])
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True, color_system="256")
    for prompt, written in ((words, first), ("", second), ("", shots[-1][1]), (words, again[-1][1])):
        if prompt:
            console.print(Text(f"$ ai_coding {prompt}", "bold"))
        for line in screen(written):
            if line:
                console.print(Text.from_ansi(line), no_wrap=True, crop=True)
        console.print()
    target = REPO / "examples" / "session.svg"
    drawn = console.export_svg(title="ai_coding", unique_id="session")
    # The fonts that rich names are on a server; whoever looks at the picture has one of his own.
    target.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL), "utf-8")
    print(target)


if __name__ == "__main__":
    main()
