"""`manual`: someone else answers, later: a prompt file and Waiting, until there is a reply file.

In: a Request, the journal's folder, the path of the requirement file that asks, and reply files that others write.
Out: the Reply or Waiting; a folder with prompt.md and request.json for each request that waits; the list of these.
"""

import contextlib
import json
import re
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

from ai_coding.ir import Reply, Request, Settings, Waiting
from ai_coding.journal import write

_TRIES = 10


def answer(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply | Waiting]:
    """Yield the text of the reply file whole and return the Reply; without one, put the question and return Waiting.

    The files of an answered request stay until `done`. OSError if the journal cannot be read or written.
    """
    waiting = _waiting(_place(settings.journal, request.digest), spec, request.digest)
    text = _reply(waiting.reply)
    if text:
        yield text
        return Reply(text, "stop", request.model)
    for other in pending(settings.journal):
        if other.spec == spec and other.request != request.digest:
            done(settings.journal, other.request)
    _put(waiting, rendered(request))
    return waiting


def rendered(request: Request) -> str:
    """The texts of the messages, an empty line between, nothing else."""
    return "\n\n".join(message.text for message in request.messages)


def pending(folder: Path) -> Iterator[Waiting]:
    """Every request in the journal that still waits, in order of path."""
    try:
        entries = sorted((folder / "pending").iterdir())
    except FileNotFoundError:
        return
    for entry in entries:
        waiting = _listed(folder, entry)
        if waiting is not None:
            yield waiting


def done(folder: Path, request: str) -> None:
    """Forget the files of the request of this digest; no error if there are none."""
    place = _place(folder, request)
    # What is no digest names no request, but might name a folder that holds much more than one.
    if not re.fullmatch("[0-9a-f]{20}", place.name) or not place.exists():
        return
    # Moved away first, so that other builds see all of its files or none, and only one of them removes it.
    with (
        contextlib.suppress(FileNotFoundError),
        tempfile.TemporaryDirectory(prefix=".done-", dir=place.parent) as gone,
    ):
        place.rename(Path(gone, place.name))


def _place(folder: Path, request: str) -> Path:
    """The folder of the request of this digest."""
    return folder / "pending" / request.removeprefix("sha256:")[:20]


def _waiting(place: Path, spec: Path, request: str) -> Waiting:
    return Waiting(spec, request, place / "prompt.md", place / "reply.md")


def _reply(path: Path) -> str:
    """The text of the reply file, '' if it is missing or blank. OSError if it is there but cannot be read."""
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return text if text.strip() else ""


def _put(waiting: Waiting, prompt: str) -> None:
    """Write the files of a request, request.json last, since it makes the request count. OSError if that fails."""
    place = waiting.prompt.parent
    entry = json.dumps({"spec": str(waiting.spec), "request": waiting.request})
    for left in reversed(range(_TRIES)):
        try:
            place.mkdir(parents=True, exist_ok=True)
            # A text that came out of JSON can hold lone surrogates, which UTF-8 cannot express.
            write(waiting.prompt, prompt.encode("utf-8", "replace"))
            write(place / "request.json", entry.encode("utf-8"))
            return
        except (FileNotFoundError, FileExistsError):
            # Another build may have removed the folder meanwhile; mkdir reports FileExistsError if that was just then.
            if not left:
                raise


def _listed(folder: Path, entry: Path) -> Waiting | None:
    """What waits in this entry of the journal; None if it is answered, gone, damaged or no request at all."""
    try:
        # The reply first: if the folder goes in between, request.json is missing and the entry is skipped.
        reply = _reply(entry / "reply.md")
        value = json.loads((entry / "request.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if reply or not isinstance(value, dict):
        return None
    spec, request = value.get("spec"), value.get("request")
    if not isinstance(spec, str) or not isinstance(request, str):
        return None
    # A reply put beside a digest that belongs elsewhere would never be found.
    if _place(folder, request) != entry:
        return None
    return _waiting(entry, Path(spec), request)
