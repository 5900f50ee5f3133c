"""Requirement files: what is accepted, and all that is said about the rest."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ai_coding import ir, languages, spec
from ai_coding.ir import Language, Spec, Use, Workspace

HEAD = '[file]\nname = "a"\nlanguage = "python"\n[project]\nrequirements = "x"\n'
USED = HEAD.replace('"a"', '"u"') + "interface = '''\n\nx\n'''\n"


def load(folder: Path, text: str, workspace: Workspace | None = None) -> Spec:
    (folder / "x.toml").write_text(text)
    found = spec.load(folder / "x.toml", workspace=workspace)
    assert found[0] and not found[1]
    return found[0]


def faults(folder: Path, text: str | bytes, **others: str) -> list[str]:
    """Place, code, message and help of what is said of text."""
    for name, other in others.items():
        (folder / f"{name}.toml").write_text(other)
    (folder / "x.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    found = spec.load(folder / "x.toml", "x.toml")
    assert (found[0] is None) == bool(found[1])
    return [f"{d.span.line}:{d.span.column} {d.code}: {d.message} | {d.help}" for d in found[1] if d.span]


def test_the_original_format(tmp_path: Path) -> None:
    """Two sections are enough; specs and hints may be sections of their own; line ends and a BOM do not count."""
    text = '[file]\nname = "a"\nlanguage = "Python"\nextension = ".py"\n[project]\nrequirements = """\nDo it.\n"""\n'
    text += '[specs]\nwire = "one"\n[hints]\nh = "two"\n'
    plain, path, python = load(tmp_path, text), tmp_path / "x.toml", languages.table()["python"]
    assert plain == Spec(path, "a", python, {"": "Do it."}, specs={"wire": "one"}, hints={"h": "two"}, inputs=(path,))
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert spec.load(path)[0] == plain == spec.load(tmp_path / ".." / tmp_path.name / "x.toml")[0]
    assert load(tmp_path, text.replace("[project]", 'description = "says hi"\n[project]')).description == "says hi"
    assert load(tmp_path, text.replace(".py", "pyw")).language == replace(python, extension="pyw")
    assert load(tmp_path, text.replace("Python", "Ada 95")).language == Language("Ada 95", "py")


def test_everything_else(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for name in ("c", "d/t"):
        (tmp_path / name).write_text("é")
    (tmp_path / "u.toml").write_text(USED + 'uses = ["v.toml", "../z", 1, "\\u0000", "w.toml"]\n')
    (tmp_path / "v.toml").write_text(USED + 'uses = ["u.toml"]\n')
    text = HEAD + 'interface = "\\nI\\n"\ncontext = ["c"]\nuses = ["u.toml"]\n[build]\nattempts = 2\n[requirements]\n'
    text += 'R1 = "one"\n[model]\nname = "m"\nseed = 1\n[[tests]]\ncovers = ["R1", ""]\ncopy = ["d/t"]\n'
    got, (x, u, v, w) = load(tmp_path, text), (tmp_path / f"{name}.toml" for name in "xuvw")
    assert (got.requirements, got.interface, got.context) == ({"": "x", "R1": "one"}, "I", {"c": "é"})
    assert got.uses == (Use(u, "u", "x"),) and got.needs[0] == u and sorted(got.needs) == [u, v, w]
    assert got.tests == (ir.Test("test 1", ("R1", ""), copy={"t": "é".encode()}),)
    assert (got.attempts, got.model, got.parameters) == (2, "m", {"seed": 1})
    need = {file for path in (u, v, w) for file in (path, path.with_suffix(".lock"))}
    assert got.inputs[0] == x and set(got.inputs[1:]) == need | {tmp_path / "c", tmp_path / "d/t"}


def test_what_a_workspace_gives(tmp_path: Path) -> None:
    """Its values hold where the file has none; files are found from its root, used units beside the file."""
    folder = tmp_path / "self"
    folder.mkdir()
    (tmp_path / "t_x").write_text("x")
    (folder / "u.toml").write_text(USED)
    build, model = {"attempts": 9, "critics": ["tests"], "committed": True}, {"name": "m", "seed": 3}
    parts: dict[str, Any] = {"shared": {"hints": "h"}, "data": {"d": b"d"}, "output": tmp_path / "out"}
    rows = {"name": "t", "stdin": "no"}, {"command": "{unit} {module}", "copy": ["t_{unit}"], "stdin": "{unit}"}
    around = Workspace(
        folder / "w", (), tmp_path, build=build, model=model, inputs=(folder / "w",), tests=rows, **parts
    )
    text = HEAD.replace('"a"', '"p/a/__init__"') + 'context = ["t_x"]\nuses = ["u.toml"]\n[build]\nattempts = 1\n'
    got = load(folder, text + '[model]\nseed = 4\n[[tests]]\nname = "t"\n[[tests]]\n', around)
    assert (got.attempts, got.critics, got.committed, got.model) == (1, ("tests",), True, "m")
    assert got.parameters == {"seed": 4} and got.inputs[0] == folder / "x.toml" and folder / "w" in got.inputs
    assert {key: getattr(got, key) for key in parts} == parts and model["name"] == "m"
    last = ir.Test("test 3", command="x p.a", copy={"t_x": b"x"}, stdin="{unit}")
    assert got.tests == (ir.Test("t"), ir.Test("test 2"), last)


OUT, GONE = "leads out of the folder that this file may read | ", "missing-file: there is no file"
WHY, ADD = "only a relative path with forward slashes is allowed | ", 'or add extension = "…" below [file]'
NONE = "6:1 no-interface: 'u.toml' has no `interface` that others may rely on | "
CYCLE = "6:1 cycle: 'u.toml' uses this file in turn | move what both need to a third"
FAULTS = [
    ("[workspace]\nmembers=[]", "1:1 is-workspace: this is a workspace, not a unit | build it, or one of its members"),
    (HEAD.replace("th", ""), f"3:1 unknown-language: no extension is known for `pyon` | did you mean `python`? {ADD}"),
    ('requirements = ""\n[file]\nname = "/a"\nlanguage = "zz"\nextension = "./x"', "4:1 unknown-language: no extension "
     f"is known for `zz` | {ADD}\n3:1 bad-path: `name` cannot be '/a': {WHY}"),
    (HEAD + 'context = ["../s", "/e", "no", "a\\u0000", "loop", "out", "bin"]\n[model]\nname = "command:x"\n',
     f"6:1 bad-path: '../s' {OUT}\n6:1 bad-path: '/e' {OUT}\n6:1 {GONE} 'no' | \n6:1 bad-path: 'a\\x00' {OUT}\n"
     f"6:1 {GONE} 'loop' | \n6:1 bad-path: 'out' {OUT}\n6:1 bad-encoding: 'bin' is not UTF-8 text | \n"
     "8:1 model-not-allowed: a requirement file cannot name a `command:` model | "
     "a command runs on your machine: give it with -m or AI_CODING_MODEL"),
    (HEAD + f'context = ["{"a/" * 3000}a"]', f"6:1 {GONE} '{'a/' * 3000}a' | "),
    (HEAD + '[build]\nstrategy = "x"\n[[tests]]\nname = "test 2"\ncovers = ["", "R9"]\n[[tests]]\ncopy = ["bin", '
     '"d/bin", "no"]\nfiles = {"/a" = "b"}\ncreates = {"/c" = "d"}', "10:1 unknown-requirement: no requirement is "
     f"called 'R9' | \n12:1 {GONE} 'no' | \n12:1 bad-path: two files to copy have one name | \n13:1 bad-path: "
     f"'/a': {WHY}\n14:1 bad-path: '/c': {WHY}\n11:1 duplicate-test: two tests are called 'test 2' | \n"
     "7:1 unknown-strategy: unknown strategy 'x' | known: direct"),
]  # fmt: skip
USES = [
    (HEAD, NONE), ("x = =", NONE), ("file = []", NONE), (USED.replace('"u"', "1"), NONE), (USED, ""),
    (USED + "uses = 5\nfoo = 1\n", ""), ("\ufeff" + USED, ""), (USED + 'uses = ["x.toml"]', CYCLE),
    (USED + 'uses = ["v.toml"]', CYCLE),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), FAULTS)
def test_faults_in_their_order(tmp_path: Path, text: str, expected: str) -> None:
    folder = tmp_path / "specs"
    (folder / "d").mkdir(parents=True)
    (tmp_path / "outside").write_text("secret")
    (folder / "loop").symlink_to("loop")
    (folder / "out").symlink_to("../outside")
    for name in ("bin", "d/bin"):
        (folder / name).write_bytes(b"\xff")
    assert faults(folder, text) == expected.split("\n")


@pytest.mark.parametrize(("used", "expected"), USES)
def test_uses_need_an_interface_and_no_circle(tmp_path: Path, used: str, expected: str) -> None:
    assert "\n".join(faults(tmp_path, HEAD + 'uses = ["u.toml"]', u=used, v=USED + 'uses = ["x.toml"]\n')) == expected


def test_any_bytes_give_diagnostics(tmp_path: Path) -> None:
    for data in (b"\xff", b"file = 1\nproject = []\ntests = {}\n", b"a = " + b"[" * 500, b"#" * 1_000_001):
        assert faults(tmp_path, data)
