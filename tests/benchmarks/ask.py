"""What a build costs beyond the model: python tests/benchmarks/ask.py [-n RUNS].

Compares a build of one requirement file with the script that a person would write instead: it sends the file's text
with the SDK of OpenAI, takes the program out of the answer and writes it. The model answers at once and always the
same, so what is left is the tool's own time: to start, render, judge in the sandbox and record. The other rows show
where it goes: the script may also look at the program with the critics' tools, unconfined, and the build may leave
out critics.

Out: whole processes, medians of runs that take turns, in milliseconds and as multiples of the script's; then the
sizes of the two prompts, in tokens of three characters.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import REPO, Run, run, table

NUMBERS = """\
import sys

for word in sorted(sys.argv[1:], key=int):
    print(word)
"""
SPEC = """\
[file]
name = "ascending"
language = "python"

[project]
requirements = \"\"\"
Print the whole numbers that are given as arguments in ascending order, one on each line.
\"\"\"

[build]
critics = CRITICS

[[tests]]
name = "sorts its arguments"
args = ["3", "10", "2"]
stdout = "2\\n3\\n10\\n"
"""
SCRIPT = """\
import re, subprocess, sys, openai
text = open("ascending.toml").read()
messages = [{"role": "user", "content": "WORDS" + text}]
client = openai.OpenAI(api_key="none", base_url=sys.argv[1])
chunks = client.chat.completions.create(model="fixed", messages=messages, stream=True)
answer = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
with open("ascending.py", "w") as file:
    file.write(re.search(r"````.*?\\n(.*?)````", answer, re.DOTALL)[1])
if "flake8" in sys.argv:
    parse = "import ast; ast.parse(open('ascending.py').read())"
    for words in (["-c", parse], ["-m", "flake8", "--isolated", "ascending.py"]):
        subprocess.run([sys.executable, *words], check=True)
if "test" in sys.argv:
    words = [sys.executable, "ascending.py", "3", "10", "2"]
    assert subprocess.run(words, capture_output=True, text=True).stdout == "2\\n3\\n10\\n"
"""
WORDS = "Write a Python program. Answer with one fenced block.\\n"
GOAL = 0.15  # seconds that a build may take longer than the script


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=9)
    runs = parser.parse_args().n
    model = [sys.executable, str(Path(__file__).with_name("model.py")), "0", f"````python\n{NUMBERS}````\n"]
    with tempfile.TemporaryDirectory() as private, subprocess.Popen(model, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            measure(Path(private), server.stdout.readline().strip(), runs)
        finally:
            server.kill()


def measure(top: Path, address: str, runs: int) -> None:
    names = ("PATH", "HOME", "LANG")
    env = {name: os.environ[name] for name in names if name in os.environ}
    env |= {"PYTHONPATH": str(REPO), "AI_CODING_JOURNAL": str(top / "journal"), "OPENAI_API_URL": address}
    tool = [sys.executable, "-P", "-m", "ai_coding"]
    script = [sys.executable, "script.py", address]

    def build(critics: list[str]) -> Run:
        folder = top / "unit"
        for old in (folder, top / "journal"):
            shutil.rmtree(old, ignore_errors=True)
        folder.mkdir()
        (folder / "script.py").write_text(SCRIPT.replace("WORDS", WORDS))
        (folder / "ascending.toml").write_text(SPEC.replace("CRITICS", json.dumps(critics)))
        return run([*tool, "ascending.toml", "-q", "-m", "openai:fixed"], folder, env)

    build([])  # for the files
    every = ["syntax", "flake8", "interface", "tests"]
    found = table(
        {
            "script": lambda: run(script, top / "unit", env),
            "script that runs the test, unconfined": lambda: run([*script, "test"], top / "unit", env),
            "script that runs flake8 and the test, too": lambda: run([*script, "flake8", "test"], top / "unit", env),
            "import openai": lambda: run([sys.executable, "-c", "import openai"], top / "unit", env),
            "build, judged by nothing": lambda: build([]),
            "build, judged by its test": lambda: build(["tests"]),
            "build, judged by all critics": lambda: build(every),
        },
        runs,
    )
    print(f"more than the script (the goal is {GOAL * 1000:.0f} ms):")
    for name, each in found.items():
        if name.startswith("build"):
            print(f"{(each.seconds - found['script'].seconds) * 1000:8.0f} ms  {name}")
    (top / "unit/ascending.lock").unlink()
    shutil.rmtree(top / "journal")
    show = [*tool, "show", "--format", "json", "ascending.toml"]
    shown = json.loads(subprocess.run(show, cwd=top / "unit", env=env, capture_output=True, check=True).stdout)
    ours = sum(len(message["text"]) for message in shown["messages"]) // 3
    theirs = len(WORDS + (top / "unit/ascending.toml").read_text()) // 3
    print(f"\nprompt: {theirs} tokens from the script, {ours} from the build: {ours / theirs:.1f} x")


if __name__ == "__main__":
    main()
