"""What flows through the compiler: frozen data, no behaviour but digests.

In: what the other modules put into the fields; for a digest bytes or what JSON can express.
Out: objects that are equal if their fields are; digests that never change.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ai_coding.diagnostic import Diagnostic


def digest(value: object) -> str:
    """`sha256:…` of bytes as they are, of anything else as canonical JSON (sorted keys, ASCII, no blanks)."""
    if isinstance(value, bytes):
        return "sha256:" + hashlib.sha256(value).hexdigest()
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError) as error:  # json's answer to cycles and to excessive size
        raise TypeError(f"cannot be written as JSON: {error}") from error
    return digest(text.encode("ascii"))


@dataclass(frozen=True)
class Language:
    """A row of languages.toml. The commands hold {entry} (the program's file) and {stem} (without extension)."""
    name: str
    extension: str
    aliases: tuple[str, ...] = ()
    check: tuple[str, ...] = ()
    compile: tuple[str, ...] = ()
    run: tuple[str, ...] = ()


@dataclass(frozen=True)
class Test:
    """One [[tests]] table. timeout in seconds; copy and files are put beside the program."""
    name: str
    covers: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    command: str = ""
    stdin: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    copy: Mapping[str, bytes] = field(default_factory=dict)
    stdout: str | None = None
    stdout_matches: str | None = None
    stderr_matches: str | None = None
    exit_code: int = 0
    creates: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 10.0
    held_out: bool = False


@dataclass(frozen=True)
class Use:
    """A unit whose interface this unit relies on."""
    path: Path
    name: str
    interface: str


@dataclass(frozen=True)
class Spec:
    """A requirement file, parsed and validated. name is the output's path without its extension.

    inputs: every file that was read for it. needs: the requirement files of all units it uses, and of those they use.
    shared, data, output: the workspace's text, hand-written files (path -> bytes) and output folder. committed: the
    output is itself under version control. context_window: tokens that request and answer may have together, 0: not
    known. prompts: templates in place of the package's, path -> text. notes: whether `check` tells them. source: the
    text of a program to start from, as long as there is no lock.
    """
    path: Path
    name: str
    language: Language
    requirements: Mapping[str, str]
    description: str = ""
    specs: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)
    interface: str = ""
    uses: tuple[Use, ...] = ()
    context: Mapping[str, str] = field(default_factory=dict)
    tests: tuple[Test, ...] = ()
    strategy: str = "direct"
    attempts: int = 4
    critics: tuple[str, ...] = ("syntax", "flake8", "interface", "tests")
    model: str = ""
    parameters: Mapping[str, float] = field(default_factory=dict)
    inputs: tuple[Path, ...] = ()
    needs: tuple[Path, ...] = ()
    shared: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, bytes] = field(default_factory=dict)
    output: Path | None = None
    committed: bool = False
    context_window: int = 0
    prompts: Mapping[str, str] = field(default_factory=dict)
    notes: bool = True
    source: str = ""

    @property
    def entry(self) -> str:
        """The path of the program's file: name, a dot, the language's extension."""
        return f"{self.name}.{self.language.extension}"


@dataclass(frozen=True)
class Workspace:
    """A requirement file with [workspace]. root: the folder that its members' paths of files are relative to.

    build and model: what holds for members that do not say otherwise. tests: rows of [[tests]] that every member has.
    """
    path: Path
    members: tuple[Path, ...]
    root: Path
    output: Path | None
    shared: Mapping[str, str]
    data: Mapping[str, bytes]
    build: Mapping[str, Any]
    model: Mapping[str, Any]
    inputs: tuple[Path, ...]
    tests: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Program:
    """Relative path -> text, and the path that is run."""
    files: Mapping[str, str]
    entry: str

    @property
    def digest(self) -> str:
        """R3."""
        return digest(["program/1", self.entry, dict(self.files)])


@dataclass(frozen=True)
class Message:
    """role: system, user or assistant."""
    role: str
    text: str


@dataclass(frozen=True)
class Request:
    """A question to a model: nothing in it depends on time, place or key."""
    model: str
    take: int
    parameters: Mapping[str, float]
    messages: tuple[Message, ...]
    tools: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """R4."""
        return digest({
            "version": "request/1",
            "model": self.model,
            "take": self.take,
            "parameters": dict(self.parameters),
            "messages": [{"role": each.role, "text": each.text} for each in self.messages],
            "tools": self.tools,
        })


@dataclass(frozen=True)
class Reply:
    """What came back. finish: stop, length (token limit) or cut (the stream ended early); tokens as reported."""
    text: str
    finish: str = "stop"
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True)
class Waiting:
    """The reply is not there yet: a person or another program writes it to reply."""
    spec: Path
    request: str
    prompt: Path
    reply: Path


@dataclass(frozen=True)
class Verdict:
    """All diagnostics of the critics on one program. reached: how many critics it passed or met."""
    diagnostics: tuple[Diagnostic, ...]
    reached: int
    passed: tuple[str, ...]
    sandbox: str


@dataclass(frozen=True)
class Ask:
    """A strategy needs a Reply. because: the errors that this request is to mend."""
    messages: tuple[Message, ...]
    because: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True)
class Judge:
    """A strategy needs the Diagnostics of the critics."""
    program: Program


@dataclass(frozen=True)
class Event:
    """One step of a build, for progress, JSON and metrics alike."""
    kind: str
    spec: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a build ended. status: built, locked, current, failed, invalid, provider or waiting."""
    status: str
    diagnostics: tuple[Diagnostic, ...] = ()
    program: Program | None = None
    waiting: tuple[Waiting, ...] = ()
    summary: str = ""


@dataclass(frozen=True)
class Settings:
    """What the command line and the environment decide. env: provider keys and addresses, by variable name.

    max_cost: US dollars that all requests of a build together may cost; 0: no ceiling.
    """
    journal: Path
    out: Path
    model: str = ""
    attempts: int = 0
    locked: bool = False
    anew: bool = False
    force: bool = False
    unsafe: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    max_cost: float = 0.0
