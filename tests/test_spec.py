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


def test_a_source_counts_until_there_is_a_lock(tmp_path: Path) -> None:
    text = HEAD + 'source = "d/a.py"\n'
    looked = f"it is looked for in {tmp_path.name}/"
    assert faults(tmp_path, text) == [f"6:1 missing-file: there is no file 'd/a.py' | {looked}"]
    assert faults(tmp_path, text.replace("d/", "../"))[0].startswith("6:1 bad-path: '../a.py' leads out")
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a.py").write_bytes(b"print()\r\n")
    got = load(tmp_path, text)
    assert got.source == "print()\n" and got.inputs == (tmp_path / "x.toml", tmp_path / "d/a.py")
    (tmp_path / "x.lock").symlink_to("nowhere")
    (tmp_path / "d/a.py").unlink()
    got = load(tmp_path, text)
    assert got.source == "" and got.inputs == (tmp_path / "x.toml",)


def test_own_templates(tmp_path: Path) -> None:
    """Below the folder of the file or the workspace's root; what is wrong in them is told with their own lines."""
    (tmp_path / "s" / "p").mkdir(parents=True)
    (tmp_path / "s/p/request.j2").write_text("{{ spec.name }}")
    text = HEAD + '[build]\nprompts = "p"\ncontext_window = 1000000\nnotes = false\n'
    got = load(tmp_path / "s", text)
    assert got.prompts == {"p/request.j2": "{{ spec.name }}"} and (got.context_window, got.notes) == (1000000, False)
    assert got.inputs == (tmp_path / "s/x.toml", tmp_path / "s/p/request.j2")
    around = Workspace(
        tmp_path / "w", (), tmp_path, None, {}, {}, build={"prompts": "s/p", "notes": False}, model={}, inputs=()
    )
    got = load(tmp_path / "s", HEAD, around)
    assert got.prompts == {"s/p/request.j2": "{{ spec.name }}"} and not got.notes
    looked = f"it is looked for in {tmp_path.name}/"
    assert faults(tmp_path, text) == [f"7:1 missing-file: there is no file 'p/request.j2' | {looked}"]
    (tmp_path / "s/p/request.j2").write_text("\n{{ spec.nam }}{{ x }}")
    found = faults(tmp_path / "s", HEAD + '[build]\nprompts = "p"\nstrategy = "x"\n')
    assert [line.split(":")[1] for line in found] == ["1 unknown-strategy", "1 bad-template"] and found[1].startswith(
        "2:1"
    )


WHY, ADD = "only a relative path with forward slashes is allowed | ", 'add extension = "…" below [file]'
COMMAND = (
    "a requirement file cannot name a `command:` model | a command runs on your machine: "
    "give it with -m or AI_CODING_MODEL"
)
NAMES, OWN = 'give each requirement a name: R1 = "…" below [requirements]', "give each a name of its own"
GONE = "there is no file 'no' | it is looked for in FOLDER/"
CYCLE = "uses this file in turn | move what both need to a third"
FAULTS = [
    ("[workspace]\nmembers=[]", "1:1 is-workspace: this is a workspace, not a unit | build it, or one of its members"),
    ("[workspace]\n", '1:1 missing-key: [workspace] has no `members` | add members = ["*.toml"] below [workspace]'),
    (HEAD.replace("th", ""),
     f"3:1 unknown-language: no extension is known for `pyon` | did you mean `python`? or {ADD}"),
    ('requirements = ""\n[file]\nname = "/a"\nlanguage = "zz"\nextension = "./x"', "4:1 unknown-language: no extension "
     f"is known for `zz` | {ADD}\n3:1 bad-path: `name` cannot be '/a': {WHY}"),
    (HEAD + '[model]\nname = "local:a.gguf"\n', "7:1 model-not-allowed: a requirement file cannot name a `local:` "
     "model | a model file lies on your machine: give it with -m or AI_CODING_MODEL"),
    (HEAD + '[[tests]]\ncovers = ["", "R9", "R8"]\n[[tests]]\nname = "test 1"\n[[tests]]\nname = "test 1"\n',
     f"7:1 unknown-requirement: no requirement is called 'R9' | {NAMES}\n"
     f"7:1 unknown-requirement: no requirement is called 'R8' | {NAMES}\n"
     f"9:1 duplicate-test: two tests are called 'test 1' | {OWN}\n"
     f"11:1 duplicate-test: two tests are called 'test 1' | {OWN}"),
    (HEAD.replace("requirements", 'requirements.R1 = ""\nrequirements.polite')
     + '[[tests]]\ncovers = ["r1", "polit", ""]\n',
     "8:1 unknown-requirement: no requirement is called 'r1' | known: R1, polite\n"
     "8:1 unknown-requirement: no requirement is called 'polit' | did you mean `polite`?\n"
     "8:1 unknown-requirement: no requirement is called '' | known: R1, polite"),
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
4:1 missing-file: {GONE}
3:1 missing-file: {GONE}
3:1 cycle: 'u.toml' {CYCLE}
13:1 unknown-requirement: no requirement is called 'R9' | {NAMES}
12:1 missing-file: {GONE}
12:1 bad-path: two files to copy are called 'c' | they are laid side by side: rename one of them
11:1 bad-path: `files` cannot name '/a': {WHY}
11:1 bad-path: `files` cannot name '/b': {WHY}
10:1 bad-path: `creates` cannot name '/c': {WHY}
15:1 unknown-requirement: no requirement is called 'R8' | {NAMES}
14:1 duplicate-test: two tests are called 'test 2' | {OWN}
7:1 unknown-strategy: unknown strategy 'x' | known: direct
6:1 unknown-critics: unknown critics 'y' | known: {", ".join(schema.CRITICS)}
5:1 model-not-allowed: {COMMAND}"""


@pytest.mark.parametrize(("text", "expected"), FAULTS)
def test_faults(tmp_path: Path, text: str, expected: str) -> None:
    assert faults(tmp_path, text) == expected.split("\n")


def test_all_faults_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for name in ("c", "d/c"):
        (tmp_path / name).write_text("")
    assert faults(tmp_path, ALL, u=USED + 'uses = ["x.toml"]\n') == IN_ORDER.replace("FOLDER", tmp_path.name).split(
        "\n"
    )


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
