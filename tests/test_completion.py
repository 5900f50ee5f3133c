"""The words of a command line are completed in real shells: commands, options, their values, and files."""

import os
import pty
import select
import shutil
import subprocess
import time
from argparse import Namespace
from pathlib import Path

import pytest
from ai_coding.arguments import COMMANDS
from ai_coding.completion import completion

SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source {}"),
    "zsh": (["zsh", "-f", "-i"], 'autoload -U compinit; compinit -D; eval "$(cat {})"'),
}
TABS = [
    ("buil", "build "),
    ("fiz", "fizz.toml "),
    ("build fiz", "build fizz.toml "),
    ("build fizz.toml --max-c", "build fizz.toml --max-cost "),
    ("build --format js", "build --format json "),
    ("check -o fold", "check -o folder/"),
    ("completion fi", "completion fish "),
    ("init fi", "init fizz.toml "),
    ("check --format sa", "check --format sarif "),
]


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert completion(Namespace(shell=shell), {}) == 0
    out, err = capsys.readouterr()
    assert out.endswith("\n") and err == ""
    return out


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a requirement file and a folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fizz.toml").touch()
    (tmp_path / "folder").mkdir()
    return tmp_path


def press(shell: str, script: Path, word: str) -> str:
    """The command line that an interactive shell shows after Tab was pressed behind word."""
    command, source = SHELLS[shell]
    child, terminal = pty.fork()
    if child == 0:
        keep = {
            "PATH": os.environ["PATH"],
            "HOME": str(script.parent),
            "TERM": "dumb",
            "PS1": "READY",
            "LANG": "C.UTF-8",
        }
        os.execvpe(command[0], command, keep)
    try:

        def read(until: str, seconds: float) -> str:
            text, end = "", time.monotonic() + seconds
            while time.monotonic() < end and (until not in text or not until):
                if select.select([terminal], [], [], 0.05)[0]:
                    text += os.read(terminal, 9999).decode()
            return text

        os.write(terminal, f"{source.format(script)}; echo SOUR''CED\n".encode())
        assert "SOURCED" in read("SOURCED", 20)
        read("", 0.3)
        os.write(terminal, f"ai_coding {word}\t".encode())
        line = read("", 1.0)
        return line.rpartition("ai_coding ")[2].replace("\x07", "")
    finally:
        os.close(terminal)
        os.kill(child, 9)
        os.waitpid(child, 0)


@pytest.mark.parametrize("shell", SHELLS)
def test_tab_in_a_shell(shell: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    path = folder / "script"
    path.write_text(script(shell, capsys))
    assert subprocess.run([shell, "-n", str(path)]).returncode == 0
    assert {word: press(shell, path, word) for word, _ in TABS} == dict(TABS)


def test_fish(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    path = folder / "script"
    path.write_text(script("fish", capsys))
    for word, line in TABS:
        command = ["fish", "--no-config", "-c", f"source {path}; complete -C 'ai_coding {word}'"]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"HOME": str(folder)})
        found = [row.partition("\t")[0] for row in done.stdout.splitlines()]
        assert line.split()[-1] in found and done.stderr == "", (word, found)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_knows_commands_and_options(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = script(shell, capsys)
    for word in (*COMMANDS, "max-cost", "dry-run", "zsh", "sarif", "language"):
        assert word in text
