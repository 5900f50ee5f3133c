"""`local:FILE.gguf`: a model file that llama.cpp runs inside this process.

In: a Request whose model names a file of this machine; neither a key nor a network is needed.
Out: pieces of the answer as they come, then the Reply; a ProviderError if the file or the engine
is missing or of no use. The model that answered last stays in memory for the requests to come.
"""

import atexit
import importlib
import os.path
import secrets
import threading
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import openai

from ai_coding.backends import ProviderError
from ai_coding.backends.chat import complete
from ai_coding.ir import Reply, Request, Settings

CONTEXT = 32_768  # tokens of a request and its reply together; fewer if the model was made for fewer


@dataclass(frozen=True)
class _Model:
    place: str  # the path of the file, without links
    key: str
    server: Any  # an xllamacpp.Server: it runs as long as anything refers to it


_LOCK = threading.Lock()  # held while a model is loaded, not while it answers
_LAST: list[_Model] = []  # the one that stays in memory, if any


def answer(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply]:
    """Ask the model in the file: pieces of text as they come, then the Reply.

    Raises ProviderError, once the first piece is asked for.
    """
    file = request.model.partition(":")[2]
    # Not by pathlib: there, an unknown home and an unreadable folder are exceptions.
    path = os.path.expanduser(file)
    if not os.path.isfile(path):
        raise ProviderError(
            "no-model-file",
            f"there is no file {file!r}",
            "give the path of a GGUF file, from the current folder: -m local:FILE.gguf",
        )
    model = _loaded(path)  # this reference keeps the server running until the request has ended
    with openai.OpenAI(
        api_key=model.key,
        base_url=f"{model.server.listening_address}/v1",
        timeout=None,
        max_retries=0,
        http_client=openai.DefaultHttpxClient(trust_env=False),
    ) as client:
        extra = {"stream_options": {"include_usage": True}}
        reply = yield from complete(openai, client, request, extra, (httpx2.HTTPError,))
    # The server knows the file by the name of whoever asked first; this one is always the same.
    return replace(reply, model=os.path.basename(path))


def _loaded(path: str) -> _Model:
    place = os.path.realpath(path)
    with _LOCK:
        if not _LAST or _LAST[0].place != place:
            _LAST.clear()  # first, as there may be no memory for two
            _LAST.append(_load(path, place))
            # The server's threads are to end while Python is still whole.
            atexit.register(_LAST.clear)
        return _LAST[0]


def _load(path: str, place: str) -> _Model:
    try:
        engine = importlib.import_module("xllamacpp")
    except (ImportError, OSError) as error:  # OSError: a shared library that it needs
        message = f"xllamacpp cannot be imported: {error}"
        raise ProviderError("no-engine", message, "pip install xllamacpp") from error
    key = secrets.token_hex(32)
    parameters = engine.CommonParams()
    # As it was asked for: llama.cpp finds the other parts of a split model by the name of the
    # first, and the name behind a link may be any.
    parameters.model.path = path
    parameters.model_alias = {os.path.basename(path)}
    parameters.n_ctx = CONTEXT
    parameters.n_parallel = 1  # several slots would share the context
    parameters.use_jinja = True  # the model's own chat template, not one that looks like it
    parameters.api_keys = [key]
    parameters.verbosity = -1  # silent
    try:
        server = engine.Server(parameters)
    except RuntimeError as error:
        raise ProviderError(
            "bad-model-file",
            f"llama.cpp cannot load {path!r}",
            "is it a whole GGUF file, and is there memory enough for it?",
        ) from error
    return _Model(place, key, server)
