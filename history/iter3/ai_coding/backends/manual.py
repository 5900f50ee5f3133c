"""The backend `manual`: someone else answers, later, by putting a reply file beside a prompt file.

In: a request, the journal's folder and the requirement file that the request is for.
Out: the reply, if its file is there and not blank; else a folder with the prompt, and Waiting.
Files that cannot be read, written or removed for other reasons than being gone are an OSError.
"""

import json
import shutil
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

from ai_coding.ir import Reply, Request, Settings, Waiting
from ai_coding.journal import write


def answer(
    request: Request, settings: Settings, spec: Path
) -> Generator[str, None, Reply | Waiting]:
    """Yield the text of the reply and return the Reply, or ask for it and return Waiting.

    The files of a reply stay until `done`. Raises OSError if files cannot be read or written.
    """
    digest = request.digest
    place = _place(settings.journal, digest)
    waiting = Waiting(spec, digest, place / "prompt.md", place / "reply.md")
    text = _reply(waiting.reply)
    if text.strip():
        yield text
        return Reply(text, finish="stop", model=request.model)
    for other in pending(settings.journal):
        if other.spec == spec and other.request != digest:
            done(settings.journal, other.request)
    place.mkdir(parents=True, exist_ok=True)
    # Lone surrogates, from names of files or from a model's JSON, have no UTF-8.
    write(waiting.prompt, rendered(request).encode("utf-8", "backslashreplace"))
    about = {"spec": str(spec), "request": digest}
    write(place / "request.json", json.dumps(about).encode("utf-8"))
    return waiting


def rendered(request: Request) -> str:
    "The texts of the messages, an empty line between, nothing else."
    return "\n\n".join(message.text for message in request.messages)


def pending(folder: Path) -> Iterator[Waiting]:
    "Every request in the journal that still waits, in order of path."
    try:
        entries = sorted((folder / "pending").iterdir())
    except FileNotFoundError:
        return
    for entry in entries:
        try:
            # The request comes last: a folder that goes after a look for its reply is noticed.
            replied = bool(_reply(entry / "reply.md").strip())
            about = json.loads((entry / "request.json").read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        match about:
            case {"spec": str(spec), "request": str(request)}:
                # A digest that belongs elsewhere is damage; `done` would remove another folder.
                if not replied and _place(folder, request) == entry:
                    yield Waiting(Path(spec), request, entry / "prompt.md", entry / "reply.md")


def done(folder: Path, request: str) -> None:
    "Forget the files of the request of this digest; no error if there are none."
    place = _place(folder, request)
    # A file that someone else removes meanwhile ends rmtree early, so look again.
    while place.exists():
        with suppress(FileNotFoundError):
            shutil.rmtree(place)


def _place(folder: Path, request: str) -> Path:
    """The folder, in the journal, of the request of this digest."""
    return folder / "pending" / request.removeprefix("sha256:")[:20]


def _reply(path: Path) -> str:
    """The text with its newlines as they are; empty if there is no file."""
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
