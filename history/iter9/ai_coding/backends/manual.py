"""`manual`: someone else answers, later: a prompt file and Waiting, until there is a reply file.

In: a request, the settings (for the journal's folder) and the path of the requirement file; the
reply that a person or another program wrote to reply.md in the request's folder.
Out: the reply, or prompt.md and request.json in that folder and a Waiting that names them; a list
of all that still waits in a journal.
"""

import json
import shutil
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

from ai_coding import journal
from ai_coding.ir import Message, Reply, Request, Settings, Waiting


def answer(
    request: Request, settings: Settings, spec: Path
) -> Generator[str, None, Reply | Waiting]:
    """The reply that was put into the request's folder, as one piece; else Waiting, and no piece.

    The files of an answered request stay, until the caller has recorded the reply and calls `done`.
    OSError if the files in the journal cannot be read, written or removed.
    """
    waiting = _waiting(settings.journal, spec, request.digest)
    text = _reply(waiting.reply)
    if text:
        yield text
        return Reply(text, finish="stop", model=request.model)
    for other in pending(settings.journal):
        if other.spec == spec and other.request != request.digest:
            done(settings.journal, other.request)
    waiting.prompt.parent.mkdir(parents=True, exist_ok=True)
    journal.write(waiting.prompt, rendered(request).encode("utf-8"))
    # Last, since it makes the request count: whoever finds it finds the prompt as well.
    content = json.dumps({"spec": str(spec), "request": request.digest}) + "\n"
    journal.write(waiting.prompt.with_name("request.json"), content.encode("utf-8"))
    return waiting


def rendered(request: Request) -> str:
    """The texts of the messages, an empty line between, nothing else."""
    texts: list[str] = []
    for message in request.messages:
        match message:
            case Message(_, text):
                texts.append(text)
    return "\n\n".join(texts)


def pending(folder: Path) -> Iterator[Waiting]:
    """Every request in the journal that still waits, in order of path."""
    try:
        entries = sorted((folder / "pending").iterdir())
    except FileNotFoundError:
        return
    for entry in entries:
        # The reply is read first: if the entry goes meanwhile, request.json is missing below, and
        # the entry is not mistaken for one without a reply.
        if _reply(entry / "reply.md"):
            continue
        try:
            found = json.loads((entry / "request.json").read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        match found:
            # A reply put into a folder that is not the request's own would never be read.
            case {"spec": str(spec), "request": str(request)} if _folder(folder, request) == entry:
                yield _waiting(folder, Path(spec), request)


def done(folder: Path, request: str) -> None:
    """Forget the files of the request of this digest; no error if there are none."""
    path = _folder(folder, request)
    while path.exists():
        # Another build may remove the same files: what is left after that goes in the next round.
        with suppress(FileNotFoundError):
            shutil.rmtree(path)


def _folder(folder: Path, request: str) -> Path:
    return folder / "pending" / request.removeprefix("sha256:")[:20]


def _waiting(folder: Path, spec: Path, request: str) -> Waiting:
    own = _folder(folder, request)
    return Waiting(spec, request, own / "prompt.md", own / "reply.md")


def _reply(path: Path) -> str:
    """The whole text of the reply file; empty if it is missing or blank."""
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    return text if text.strip() else ""
