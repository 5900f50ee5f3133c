"""The data that flows through the compiler: frozen, with these fields in this order, and digests that never change."""

from dataclasses import FrozenInstanceError, asdict, fields
from pathlib import Path
from typing import Any

import pytest
from ai_coding import ir
from ai_coding.ir import Language, Message, Program, Request, Spec, digest
from hypothesis import given, settings
from hypothesis import strategies as st

FIELDS = {
    "Language": "name extension aliases=() check=() compile=() run=()",
    "Test": "name covers=() args=() command='' stdin='' env={} files={} copy={} stdout=None stdout_matches=None "
    "stderr_matches=None exit_code=0 creates={} timeout=10.0 held_out=False",
    "Use": "path name interface",
    "Spec": "path name language requirements description='' specs={} hints={} interface='' uses=() context={} tests=() "
    "strategy='direct' attempts=4 critics=('syntax',·'flake8',·'interface',·'tests') model='' parameters={} inputs=() "
    "needs=() shared={} data={} output=None committed=False context_window=0 prompts={} notes=True source=''",
    "Workspace": "path members root output shared data build model inputs tests=()",
    "Program": "files entry",
    "Message": "role text",
    "Request": "model take parameters messages tools=()",
    "Reply": "text finish='stop' model='' input_tokens=0 output_tokens=0",
    "Waiting": "spec request prompt reply",
    "Verdict": "diagnostics reached passed sandbox",
    "Ask": "messages because=()",
    "Judge": "program",
    "Event": "kind spec data={}",
    "Outcome": "status diagnostics=() program=None waiting=() summary=''",
    "Settings": "journal out model='' attempts=0 locked=False anew=False force=False unsafe=False env={} max_cost=0.0",
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields_in_order_with_their_defaults(name: str) -> None:
    kind: Any = getattr(ir, name)
    assert kind.__doc__
    required = [part for part in FIELDS[name].split() if "=" not in part]
    made = kind(*required)
    shown = []
    for field in fields(kind):
        default = repr(getattr(made, field.name)).replace(" ", "·")
        shown.append(field.name if field.name in required else f"{field.name}={default}")
    assert " ".join(shown) == FIELDS[name]


@pytest.mark.parametrize("name", FIELDS)
def test_nothing_can_be_changed_and_nothing_is_shared(name: str) -> None:
    """Objects are frozen, equal if their fields are, and do not share a dict that is empty by default."""
    required = [part for part in FIELDS[name].split() if "=" not in part]
    one, two = getattr(ir, name)(*required), getattr(ir, name)(*required)
    assert one == two and one != getattr(ir, name)(*["other" for _ in required])
    with pytest.raises(FrozenInstanceError):
        setattr(one, required[0], "other")
    dicts = [field.name for field in fields(one) if getattr(one, field.name) == {}]
    assert all(getattr(one, key) is not getattr(two, key) for key in dicts)


def test_the_entry_is_the_programs_file() -> None:
    assert Spec(Path("x.toml"), "sub/a.b", Language("c++", "cpp"), {}).entry == "sub/a.b.cpp"


def test_the_digests_are_pinned() -> None:
    """A regenerated tool must not invalidate locks: these values never change."""
    request = Request("manual", 1, {"temperature": 0.5}, (Message("user", "hi"),))
    assert [digest({"b": [1, "é"], "a": None}), Program({"a.py": "x\n"}, "a.py").digest, request.digest] == [
        "sha256:a44633ba036df25280e4fd9ef09da6f54dfe6d3611c755e31f993ab16f108f34",
        "sha256:1e90222405e3141261b3646715fc9b323a40bb3a9fe0c95d2a972cb6d58ba064",
        "sha256:9e167ebe3d386b54c5cae1d6a2afa66f3b160e5e815e4e1d8035936bdd6e7203",
    ]


def test_the_digests_of_unusual_values_are_pinned() -> None:
    program = Program({"b/é.txt": "\x00😀\r\n", "a.py": ""}, "a.py")
    request = Request("openai:x", 2, {"b": 1, "a": 2}, (Message("system", "s"), Message("user", "é")), ("edit",))
    values = [digest(b""), digest(""), digest("\ud800"), digest((1, 2.0, True, None)), program.digest, request.digest]
    assert values == [
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sha256:12ae32cb1ec02d01eda3581b127c1fee3b0dc53572ed6baf239721a03d82e126",
        "sha256:8c0c59dd0d275aadcd462a5fe12eb352cbdfeaf961eae4f85a4660521df7d2f5",
        "sha256:c991fa90cc368c7ba87f821a275831983dc73e7507d8642522925df3a80f1337",
        "sha256:2ee9354adb4352ddd0e35a5cdf188a4f7d925d9e5774f483a7665cf50a14a0d5",
        "sha256:8ae28fb4248510f480271fde2bd4fa6a66280b688418d1331cf2c8b403fcbec8",
    ]


def test_a_test_with_copies_is_digested_as_a_dict_of_its_fields() -> None:
    row = asdict(ir.Test("t", ("R1",), copy={"x": b"\xff"})) | {"copy": {"x": digest(b"\xff")}}
    assert digest(row) == "sha256:bd37f11b3f2a3d6a0f5ea42f3d19b271c854e3c2004ce7be8e4ce305930b62a7"
    with pytest.raises(TypeError):
        digest({"copy": b"\xff"})


@settings(derandomize=True, deadline=None)
@given(st.dictionaries(st.text(), st.text()))
def test_the_order_of_keys_does_not_count(values: dict[str, str]) -> None:
    turned = dict(reversed(values.items()))
    assert digest(values) == digest(turned)
    assert Program(values, "a").digest == Program(turned, "a").digest == Program(dict(values), "a").digest


@settings(derandomize=True, deadline=None)
@given(st.binary(), st.binary())
def test_other_bytes_have_another_digest(one: bytes, two: bytes) -> None:
    assert (digest(one) == digest(two)) == (one == two)
    assert digest(one).startswith("sha256:") and len(digest(one)) == 71


def test_every_part_of_a_question_counts() -> None:
    base: dict[str, Any] = {"model": "m", "take": 1, "parameters": {}, "messages": (Message("user", "x"),), "tools": ()}
    other = {"model": "n", "take": 2, "parameters": {"seed": 1}, "messages": (Message("system", "x"),), "tools": ("t",)}
    found = {Request(**base).digest, *(Request(**base | {key: value}).digest for key, value in other.items())}
    assert len(found) == 6
    assert Program({"a": ""}, "a").digest != Program({"a": ""}, "b").digest != Program({"b": ""}, "b").digest
