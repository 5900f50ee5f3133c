"""Requirement files: what is accepted, and all that is said about the rest."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ai_coding import ir, languages, schema, spec
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
    (tmp_path / "u.toml").write_text(USED + 'uses = ["v.toml", "w.toml"]\n')
    (tmp_path / "v.toml").write_text(USED)
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


WHY, ADD = "only a relative path with forward slashes is allowed | ", 'or add extension = "…" below [file]'
COMMAND = (
    "a requirement file cannot name a `command:` model | a command runs on your machine: "
    "give it with -m or AI_CODING_MODEL"
)
CYCLE = "uses this file in turn | move what both need to a third"
FAULTS = [
    ("[workspace]\nmembers=[]", "1:1 is-workspace: this is a workspace, not a unit | build it, or one of its members"),
    ("[workspace]\n", '1:1 missing-key: [workspace] has no `members` | add members = ["*.toml"] below [workspace]'),
    (HEAD.replace("th", ""), f"3:1 unknown-language: no extension is known for `pyon` | did you mean `python`? {ADD}"),
    ('requirements = ""\n[file]\nname = "/a"\nlanguage = "zz"\nextension = "./x"', "4:1 unknown-language: no extension "
     f"is known for `zz` | {ADD}\n3:1 bad-path: `name` cannot be '/a': {WHY}"),
    (HEAD + '[[tests]]\ncovers = ["", "R9", "R8"]\n[[tests]]\nname = "test 1"\n[[tests]]\nname = "test 1"\n',
     "7:1 unknown-requirement: no requirement is called 'R9' | \n"
     "7:1 unknown-requirement: no requirement is called 'R8' | \n"
     "9:1 duplicate-test: two tests are called 'test 1' | \n11:1 duplicate-test: two tests are called 'test 1' | "),
]  # fmt: skip
ALL = """file = {name = "", language = "zz"}
project.requirements = "x"
project.uses = ["no", "u.toml"]
project.context = ["no"]
model.name = "command:x"
build.critics = ["y"]
build.strategy = "x"
[[tests]]
name = "test 2"
creates = {"/c" = "d"}
files = {"/a" = "b", "/b" = "b"}
copy = ["c", "d/c", "no"]
covers = ["R9"]
[[tests]]
covers = ["R8"]
"""
IN_ORDER = f"""1:20 unknown-language: no extension is known for `zz` | {ADD}
1:9 bad-path: `name` cannot be '': {WHY}
4:1 missing-file: there is no file 'no' |@
3:1 missing-file: there is no file 'no' |@
3:1 cycle: 'u.toml' {CYCLE}
13:1 unknown-requirement: no requirement is called 'R9' |@
12:1 missing-file: there is no file 'no' |@
12:1 bad-path: two files to copy have one name |@
11:1 bad-path: '/a': {WHY}
11:1 bad-path: '/b': {WHY}
10:1 bad-path: '/c': {WHY}
15:1 unknown-requirement: no requirement is called 'R8' |@
14:1 duplicate-test: two tests are called 'test 2' |@
7:1 unknown-strategy: unknown strategy 'x' | known: direct
6:1 unknown-critics: unknown critics 'y' | known: {", ".join(schema.CRITICS)}
5:1 model-not-allowed: {COMMAND}""".replace("@", " ")


@pytest.mark.parametrize(("text", "expected"), FAULTS)
def test_faults(tmp_path: Path, text: str, expected: str) -> None:
    assert faults(tmp_path, text) == expected.split("\n")


def test_all_faults_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for name in ("c", "d/c"):
        (tmp_path / name).write_text("")
    assert faults(tmp_path, ALL, u=USED + 'uses = ["x.toml"]\n') == IN_ORDER.split("\n")


def test_faults_of_what_a_workspace_gives(tmp_path: Path) -> None:
    """They are told of the file that is read, at the nearest key that it has."""
    rows = ({"copy": ["{unit}.c"], "covers": ["R1"]},)
    around = Workspace(
        tmp_path / "w", (), tmp_path, output=None, shared={}, data={}, inputs=(), tests=rows,
        build={"critics": ["tests", "x y"], "strategy": "z"}, model={"name": "command:x"},
    )  # fmt: skip
    (tmp_path / "x.toml").write_text(HEAD + "[model]\nseed = 1\n")
    loaded, found = spec.load(tmp_path / "x.toml", "called", around)
    assert loaded is None and [(d.code, d.span and (d.span.file, d.span.line)) for d in found] == [
        ("unknown-requirement", ("called", 0)),
        ("missing-file", ("called", 0)),
        ("unknown-strategy", ("called", 0)),
        ("unknown-critics", ("called", 0)),
        ("model-not-allowed", ("called", 6)),
    ]
    assert found[1].message == "there is no file 'x.c'"


def test_a_file_keeps_its_own_name(tmp_path: Path) -> None:
    """What a link is called counts, not what it leads to; used files are beside the link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "r.toml").write_text(HEAD + 'uses = ["u.toml"]\n')
    (tmp_path / "u.toml").write_text(USED)
    (tmp_path / "x.toml").symlink_to("real/r.toml")
    (tmp_path / "folder").symlink_to(".")
    loaded, found = spec.load(tmp_path / "folder" / "x.toml")
    assert loaded and not found and loaded.path == tmp_path / "x.toml" == loaded.inputs[0]
    assert loaded.needs == (tmp_path / "u.toml",)


def test_any_bytes_give_diagnostics(tmp_path: Path) -> None:
    for data in (b"\xff", b"file = 1\nproject = []\ntests = {}\n", b"a = " + b"[" * 500, b"#" * 1_000_001):
        assert faults(tmp_path, data)
