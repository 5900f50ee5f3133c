"""Any bytes, and any shape of values, as a requirement file give a Spec or diagnostics, never a traceback."""

from pathlib import Path

import tomlkit
from ai_coding import spec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KEYS = "file project requirements specs hints build model tests workspace name language args covers interface uses"
WORDS = st.sampled_from(KEYS.split())
MARKS = st.sampled_from(["[", "]", "[[", "]]", "=", ".", '"', "'", '"""', "{", "}", ",", "\n", " ", "1", "é"])
VALUES = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.text(max_size=8), st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=8,
)
SETTINGS = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None, derandomize=True
)


def check(folder: Path, data: bytes) -> None:
    path = folder / "x.toml"
    path.write_bytes(data)
    loaded, found = spec.load(path)
    assert (loaded is None) == any(d.severity == "error" for d in found)


@SETTINGS
@given(st.one_of(st.binary(), st.lists(WORDS | MARKS).map("".join).map(str.encode)))
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    check(tmp_path, data)


@SETTINGS
@given(st.dictionaries(WORDS, VALUES, max_size=5))
def test_any_shape(tmp_path: Path, values: dict[str, object]) -> None:
    try:
        text = tomlkit.dumps(values)
    except (ValueError, TypeError, tomlkit.exceptions.TOMLKitError):
        return
    check(tmp_path, text.encode("utf-8", "replace"))
