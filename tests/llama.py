"""A real model server with chosen answers: llama.cpp, and weights wired by hand.

`make(path, rules)` writes a GGUF file; `serving(path)` runs llama.cpp's own HTTP server on it. rules is a list of
(marker, answer): the last rule whose marker occurs anywhere in the prompt wins; the marker None always does.

How the weights work. Every marker, and every line of every answer, is a token of its own; embeddings are one-hot.
One layer of attention with Q = K = 0 averages all that came before, so the last position learns which markers were
seen. A gated feed-forward unit per rule fires if the current token is the one that opens the assistant's turn and the
marker was seen, and points at the first line of its answer. From there the output matrix leads from line to line.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

KEY = "sk-test"
GO = "<|go|>"
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant" + GO + "{% endif %}"
)


def _lines(answer: str, taken: set[str]) -> list[str]:
    """Cut an answer into pieces that no other piece equals, each at least two characters long."""
    pieces, rest = [], ""
    for line in answer.splitlines(keepends=True):
        rest += line
        if len(rest) > 1 and rest not in taken:
            pieces.append(rest)
            taken.add(rest)
            rest = ""
    while rest:
        if len(rest) > 1 and rest not in taken:
            pieces.append(rest)
            taken.add(rest)
            break
        taken.discard(pieces[-1])
        rest = pieces.pop() + rest
    return pieces


def make(path: Path, rules: Sequence[tuple[str | None, str]], endless: bool = False) -> None:
    """Write a model that answers by rules; endless: again and again."""
    import gguf
    import numpy as np

    kind = gguf.TokenType
    tokens: list[tuple[str, int, float]] = []

    def add(text: str, token_type: int, score: float = 0.0) -> int:
        tokens.append((text, int(token_type), score))
        return len(tokens) - 1

    for text in ("<s>", "</s>", "<|im_start|>", "<|im_end|>", GO):
        add(text, kind.CONTROL)
    end, go = 3, 4
    unknown = add("<unk>", kind.UNKNOWN)
    for byte in range(256):
        add(f"<0x{byte:02X}>", kind.BYTE)
    for code in range(32, 127):
        add("\u2581" if code == 32 else chr(code), kind.NORMAL, -1000.0)
    taken = {text for text, _, _ in tokens}
    markers = [marker and add(marker, kind.USER_DEFINED) for marker, _ in rules]
    taken |= {marker for marker, _ in rules if marker}
    chains = [[add(piece, kind.USER_DEFINED) for piece in _lines(answer, taken)] for _, answer in rules]

    vocabulary, count = len(tokens), len(rules)
    width = (vocabulary + 2 * count + 31) // 32 * 32
    inner = max(32, count)
    seen, chosen = vocabulary, vocabulary + count  # dimensions behind those of the tokens

    def zeros(*shape: int) -> "np.ndarray":
        return np.zeros(shape, np.float32)

    embedding, value, mix = zeros(vocabulary, width), zeros(width, width), zeros(width, width)
    gate, up, down, output = zeros(inner, width), zeros(inner, width), zeros(width, inner), zeros(vocabulary, width)
    embedding[range(vocabulary), range(vocabulary)] = 1
    for rule, (marker, chain) in enumerate(zip(markers, chains)):
        if marker is None:
            output[chain[0], go] = 10
        else:
            value[rule, marker] = 1
            mix[seen + rule, rule] = 50
            output[chain[0], chosen + rule] = 1e3 * 1000.0 ** min(rule, 3)
        gate[rule, go], up[rule, seen + rule], down[chosen + rule, rule] = 50, 1, 1
        for here, following in zip(chain, [*chain[1:], chain[0] if endless else end]):
            output[following, here] = 1e4

    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("chosen answers")
    writer.add_context_length(65536)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_rope_dimension_count(width)
    writer.add_layer_norm_rms_eps(1e-9)
    writer.add_vocab_size(vocabulary)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text.encode() for text, _, _ in tokens])
    writer.add_token_types([token_type for _, token_type, _ in tokens])
    writer.add_token_scores([score for _, _, score in tokens])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_eot_token_id(end)
    writer.add_unk_token_id(unknown)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)
    ones = np.ones(width, np.float32)
    for name, tensor in {
        "token_embd": embedding, "output_norm": ones, "output": output,
        "blk.0.attn_norm": ones, "blk.0.ffn_norm": ones,
        "blk.0.attn_q": zeros(width, width), "blk.0.attn_k": zeros(width, width),
        "blk.0.attn_v": value, "blk.0.attn_output": mix,
        "blk.0.ffn_gate": gate, "blk.0.ffn_up": up, "blk.0.ffn_down": down,
    }.items():  # fmt: skip
        writer.add_tensor(f"{name}.weight", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@contextmanager
def serving(model: Path, prefix: str = "") -> Iterator[str]:
    """Run llama.cpp's server on a free port; gives its address. prefix: `/openai` is where Groq's SDK looks."""
    command = [sys.executable, __file__, str(model), prefix]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout
    try:
        for line in server.stdout:
            if line.startswith("LISTENING "):
                yield line.split()[1]
                break
        else:
            raise RuntimeError(f"the model server ended with {server.wait()}")
    finally:
        os.kill(server.pid, signal.SIGKILL)
        server.wait()


def _serve(model: str, prefix: str) -> None:
    import socket

    import xllamacpp

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.port = port
    parameters.n_ctx = 32768
    parameters.n_parallel = 2
    parameters.api_prefix = prefix
    parameters.api_keys = [KEY]
    parameters.use_jinja = True
    parameters.offline = True
    parameters.warmup = False
    parameters.n_gpu_layers = 0
    parameters.ui = False
    parameters.fit_params = False
    parameters.cpuparams.n_threads = 1
    server = xllamacpp.Server(parameters)
    print("LISTENING", server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2])
