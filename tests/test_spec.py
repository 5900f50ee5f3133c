"""Requirement files: what is accepted, and the whole text of what is said about the rest."""

from pathlib import Path

import pytest
from ai_coding import spec
from conftest import FIZZ
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st


def faults(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "x.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = spec.load(path, "x.toml")
    assert (found[0] is None) == bool(found[1])
    return "\n".join(map(str, found[1]))


def test_the_original_format(tmp_path: Path) -> None:
    """Two sections are enough; specs and hints may be sections of their own; line ends and a BOM do not count."""
    text = '[file]\nname = "a"\nlanguage = "Python"\nextension = "py"\n[project]\nrequirements = """\nDo it.\n"""\n'
    text += '[specs]\nwire = "one"\n[hints]\nh = "two"\n'
    path = tmp_path / "x.toml"
    path.write_text(text)
    plain, found = spec.load(path)
    assert plain and not found
    assert (plain.entry, plain.requirements, plain.specs, plain.hints) == (
        "a.py", {"": "Do it."}, {"wire": "one"}, {"h": "two"},
    )  # fmt: skip
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert spec.load(path)[0] == plain


def test_requirements_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text('[file]\nname = "a"\nlanguage = "c"\n[requirements]\nR1 = "one"\nR2 = "two"\n')
    loaded, _ = spec.load(path)
    assert loaded and loaded.requirements == {"R1": "one", "R2": "two"} and loaded.entry == "a.c"


HEAD = '[file]\nname = "a"\nlanguage = "python"\n[project]\nrequirements = "x"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            HEAD.replace("requirements", "requirement"),
            """\
error[unknown-key]: unknown key `requirement` in [project]
 --> x.toml:5:1
  |
5 | requirement = "x"
  | ^^^^^^^^^^^
  = help: did you mean `requirements`?
error[missing-key]: there are no requirements
 --> x.toml:4:1
  |
4 | [project]
  | ^^^^^^^^^
  = help: add requirements = \"\"\"…\"\"\" to [project]""",
        ),
        (
            HEAD.replace("python", "pyton"),
            """\
error[unknown-language]: no extension is known for `pyton`
 --> x.toml:3:1
  |
3 | language = "pyton"
  | ^^^^^^^^
  = help: did you mean `python`? or add extension = "…" below [file]""",
        ),
        (
            HEAD + "x = = 1\n",
            """\
error[toml-syntax]: not TOML: Unexpected character: '='
 --> x.toml:6:5
  |
6 | x = = 1
  |     ^""",
        ),
        (
            HEAD + '[[tests]]\nargs = [1]\n[[tests]]\n  covers = ["R9"]\n',
            """\
error[wrong-type]: `args` in [tests] must be a list of strings
 --> x.toml:7:1
  |
7 | args = [1]
  | ^^^^""",
        ),
        (
            HEAD + '[[tests]]\n  covers = ["R9"]\n',
            """\
error[unknown-requirement]: no requirement is called 'R9'
 --> x.toml:7:3
  |
7 |   covers = ["R9"]
  |   ^^^^^^""",
        ),
        (
            HEAD + 'context = ["../secret", "/etc/passwd", "gone.sql"]\n[model]\nname = "command:rm -rf /"\n',
            """\
error[bad-path]: '../secret' leads out of the folder that this file may read
 --> x.toml:6:1
  |
6 | context = ["../secret", "/etc/passwd", "gone.sql"]
  | ^^^^^^^
error[bad-path]: '/etc/passwd' leads out of the folder that this file may read
 --> x.toml:6:1
  |
6 | context = ["../secret", "/etc/passwd", "gone.sql"]
  | ^^^^^^^
error[missing-file]: there is no file 'gone.sql'
 --> x.toml:6:1
  |
6 | context = ["../secret", "/etc/passwd", "gone.sql"]
  | ^^^^^^^
error[model-not-allowed]: a requirement file cannot name a `command:` model
 --> x.toml:8:1
  |
8 | name = "command:rm -rf /"
  | ^^^^
  = help: a command runs on your machine: give it with -m or AI_CODING_MODEL""",
        ),
        (
            b"[file]\nname = '\xff'\n",
            """\
error[toml-encoding]: this is not UTF-8 text
 --> x.toml:2:1
  = help: save the file as UTF-8""",
        ),
        (
            "",
            """\
error[missing-key]: [file] has no `name`
--> x.toml
  = help: add name = "…" below [file]
error[missing-key]: [file] has no `language`
--> x.toml
  = help: add language = "…" below [file]
error[missing-key]: there are no requirements
--> x.toml
  = help: add requirements = \"\"\"…\"\"\" to [project]""",
        ),
    ],
)
def test_the_whole_text_of_faults(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert faults(tmp_path, text) == expected


def test_links_that_lead_out_are_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("secret")
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "in.txt").symlink_to(tmp_path / "outside")
    assert "bad-path" in faults(folder, HEAD + 'context = ["in.txt"]\n')


def test_too_big(tmp_path: Path) -> None:
    assert faults(tmp_path, HEAD + "#" * 1_000_000).startswith("error[file-too-big]")


def test_uses_need_an_interface(tmp_path: Path) -> None:
    (tmp_path / "fizz.toml").write_text(FIZZ)
    assert "error[no-interface]: 'fizz.toml' has no `interface`" in faults(tmp_path, HEAD + 'uses = ["fizz.toml"]\n')
    (tmp_path / "fizz.toml").write_text(FIZZ.replace("[[tests]]", "interface = 'def f(): ...'\n[[tests]]"))
    assert faults(tmp_path, HEAD + 'uses = ["fizz.toml"]\n') == ""


KEYS = "file project requirements specs hints build model tests name language args covers interface uses".split()
PIECES = st.sampled_from([*KEYS, "[", "]", "[[", "]]", "=", ".", '"', "'", '"""', "{", "}", ",", "\n", " ", "1", "é"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.one_of(st.binary(), st.lists(PIECES).map("".join).map(str.encode)))
@example(HEAD.encode() + b"tests = 1\n")
@example(b"file = 1\nproject = []\ntests = {}\n")
@example(b"a = " + b"[" * 500)
@example(b"[file]\n[file]\n")
@example(b"file.name = 1\n[file]\n")
def test_any_bytes_give_diagnostics(tmp_path: Path, data: bytes) -> None:
    faults(tmp_path, data)


VALUES = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.text(max_size=8), st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5))
def test_any_shape_gives_diagnostics(tmp_path: Path, values: dict[str, object]) -> None:
    import tomlkit

    try:
        text = tomlkit.dumps(values)
    except (ValueError, TypeError, tomlkit.exceptions.TOMLKitError):
        return
    faults(tmp_path, text.encode("utf-8", "replace"))
