"""`manual`: someone else answers, later. In: a Request. Out: a prompt file and Waiting, until there is a reply file."""

import json
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

from ai_coding import journal
from ai_coding.ir import Reply, Request, Settings, Waiting


def answer(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply | Waiting]:
    """The text of reply.md if it is there; else writes prompt.md beside it."""
    folder = _folder(settings.journal, request.digest)
    waiting = Waiting(spec, request.digest, folder / "prompt.md", folder / "reply.md")
    if text := _text(waiting.reply):
        yield text
        return Reply(text, "stop", request.model)
    for old in pending(settings.journal):
        if old.spec == spec and old.request != request.digest:
            done(settings.journal, old.request)
    folder.mkdir(parents=True, exist_ok=True)
    journal.write(waiting.prompt, rendered(request).encode())
    journal.write(folder / "request.json", json.dumps({"spec": str(spec), "request": request.digest}).encode())
    return waiting


def rendered(request: Request) -> str:
    """The messages of a request as one text."""
    return "\n\n".join(message.text for message in request.messages)


def pending(folder: Path) -> Iterator[Waiting]:
    """Every request in the journal that still waits for a reply."""
    for path in sorted((folder / "pending").glob("*/request.json")):
        prompt, reply = path.with_name("prompt.md"), path.with_name("reply.md")
        try:
            entry = json.loads(path.read_bytes())
            waiting = Waiting(Path(entry["spec"]), str(entry["request"]), prompt, reply)
            if not _text(reply):
                yield waiting
        except (OSError, ValueError, KeyError, TypeError):
            continue  # another build took it away, or nobody can say what it waits for


def done(folder: Path, request: str) -> None:
    """Forget the files of a request whose reply is in the journal."""
    shutil.rmtree(_folder(folder, request), ignore_errors=True)


def _text(reply: Path) -> str:
    """What was replied, or "": a blank file is one that somebody is about to fill."""
    text = reply.read_bytes().decode("utf-8", "replace") if reply.is_file() else ""
    return text if text.strip() else ""


def _folder(folder: Path, request: str) -> Path:
    return folder / "pending" / request.removeprefix("sha256:")[:20]
