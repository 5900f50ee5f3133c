"""Workspaces: what a path stands for, what members share, and what is said of the rest."""

import os
import tracemalloc
from pathlib import Path

import pytest
from ai_coding import workspace
from ai_coding.ir import Spec

UNIT = 'requirements = "x"\n[file]\nname = "NAME"\nlanguage = "c"\n'
OTHER = "give one of them another name"
HELP = "it has to be a folder around this file, in the same version-controlled tree"
TOML = "the name of a requirement file ends in .toml"
SPACE = '[workspace]\nmembers = ["*.toml"]\n'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(**files: str) -> None:
    """Write files; `a__b` is a/b.toml, and a text without `=` is the name of a unit."""
    for name, text in files.items():
        path = Path(name.replace("__", "/") + ".toml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if "=" in text else UNIT.replace("NAME", text))


def load(*paths: str) -> tuple[list[Spec], list[str]]:
    """The units, and place, code, message and help of what is said."""
    specs, found = workspace.load([Path(path) for path in paths])
    return specs, [f"{d.span} {d.code}: {d.message} | {d.help}" for d in found]


def faults(text: str) -> list[str]:
    Path("w.toml").write_text(text)
    around, found = workspace.read(Path("w.toml"))
    assert (around is None) == bool(found)
    return [f"{d.span} {d.code}: {d.message} | {d.help}" for d in found]


PATHS = [
    ("b.toml", "b"), ("w.toml", "x a b"), (".", "a b x z"), ("x.toml . b.toml", "x a b z"),
    ("z.toml w.toml", "z x a b"), ("s s/../s/b.toml s/a.toml", "s/a s/b"), ("s/b.toml s", "s/b s/a"),
]  # fmt: skip


@pytest.mark.parametrize(("paths", "units"), PATHS)
def test_what_paths_stand_for(here: Path, paths: str, units: str) -> None:
    put(x="x", b="b", a="a", z="z", s__b="b2", s__a="a2")
    put(w=SPACE.replace('"*.toml"', '"x.toml", "[abw].toml"') + "[requirements]\na='A'\n")
    specs, found = load(*paths.split())
    assert not found and [str(s.path.relative_to(here).with_suffix("")) for s in specs] == units.split()
    assert {s.path.stem for s in specs if s.shared} == {s.path.stem for s in specs if s.path.parent == here} - {"z"}


def test_what_members_get(here: Path) -> None:
    (here / ".git").mkdir()
    (here / "d").mkdir()
    (here / "d/é").write_bytes(b"\xff")
    text = SPACE + 'root = ".."\noutput = "out/x"\ndata = ["d/*", "**/*"]\n[build]\nattempts = 2\n[model]\nname = "m"\n'
    text += '[project]\nhints = "\\nh\\n"\n[requirements]\nR1 = "one"\nR2 = "two"\n[[tests]]\nname = "t"\n'
    put(self__w=text, self__a="a", self__z=SPACE.replace("*", "a"))
    specs, found = load("self/a.toml")
    around, _ = workspace.read(Path("self/w.toml"))
    assert around and not found and around.members == (here / "self/a.toml",)
    assert around.path == here / "self/w.toml" and around.root == here and around.output == here / "out/x"
    assert list(around.shared.items()) == [("requirements R1", "one"), ("requirements R2", "two"), ("hints", "h")]
    assert around.data["d/é"] == b"\xff"
    assert list(around.data) == ["d/é", "self/a.toml", "self/w.toml", "self/z.toml"]
    assert (around.build, around.model, around.tests) == ({"attempts": 2}, {"name": "m"}, ({"name": "t"},))
    assert around.inputs == (around.path, *(here / path for path in around.data))
    assert specs[0].shared == around.shared and specs[0].attempts == 2 and [t.name for t in specs[0].tests] == ["t"]
    assert not load("self/z.toml", "self/a.toml", "self/w.toml")[0][0].shared, "the first that is met"


@pytest.mark.parametrize("head", ["", "# [workspace]\n", "\ufeff"])
def test_what_a_workspace_is(head: str) -> None:
    """A table says so, not a line in a text; of broken TOML, a line."""
    put(a="a", b=UNIT.replace('"x"', '"""\n[workspace]\n"""'), w=head + SPACE.replace("]", " ]  # tool", 1))
    assert [spec.path.stem for spec in load("w.toml")[0]] == ["a", "b"] == [s.path.stem for s in load(".")[0]]
    put(w=head + SPACE + "x = = 1\n")
    for paths in (["a.toml"], ["a.toml", "b.toml", "."]):
        assert [line.split(":")[0] for line in load(*paths)[1]] == ["w.toml"]


def test_a_key_of_many_parts_costs_no_memory(here: Path) -> None:
    """tomllib would take some 500 MB for these."""
    tracemalloc.start()
    for text in ("a" + " . a" * 12_000 + " = 1\n", "[a" + ".a" * 12_000 + "]\n"):
        put(a="a", b=text + "x = 1\n")
        specs, (fault,) = load(".")
        assert [spec.path.stem for spec in specs] == ["a"] and "toml-syntax" in fault
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()
    put(b=SPACE.replace('"*.toml"', '"a.toml"') + f"[project]\nrequirements = '{'.' * 2000}'\n")
    assert [spec.shared for spec in load("b.toml")[0]] == [{"requirements": "." * 2000}]


def test_faults_are_told_once_and_at_their_place(here: Path) -> None:
    (here / "e").mkdir()
    put(a="n", b="N", c="n", d=UNIT + "x = 1\n", w=SPACE + 'data = ["no"]\n')
    specs, found = load(".", str(here / "e"), "gone.toml")
    assert [spec.path.stem for spec in specs] == ["a", "b", "c"] and [line.split(" | did")[0] for line in found] == [
        "w.toml:3:1 bad-path: 'no' matches no file below " + here.name + "/ | ",
        f"{here}/e no-files: there is no requirement file in this folder | {TOML}",
        "d.toml:5:1 unknown-key: unknown key `x` in [file] | known here: description, extension, language, name",
        "gone.toml file-unreadable: cannot read gone.toml: No such file or directory | ",
        f"b.toml duplicate-output: N.c is also what a.toml yields | {OTHER}",
        f"c.toml duplicate-output: n.c is also what b.toml yields | {OTHER}",
    ]
    put(s__w=SPACE + 'output = "x"\n', s__a="n", t__a="caf\u00e9", t__b="CAFE\u0301")
    same = f"t/b.toml duplicate-output: CAFE\u0301.c is also what t/a.toml yields | {OTHER}"
    assert load("t")[1] == [same], "one name after NFC"
    assert not load("a.toml", "s/a.toml")[1][1:]


def test_a_root_is_around_the_file_and_in_the_checkout(here: Path) -> None:
    (here / "sub/.git").mkdir(parents=True)
    for root in ("..", "sub", "/", "\\u0000", "no/way"):
        shown = repr(root.replace("\\u0000", "\x00"))
        assert faults(f'{SPACE}root = "{root}"\n') == [f"w.toml:3:1 bad-path: `root` cannot be {shown} | {HELP}"]
        (here / ".git").mkdir(exist_ok=True)
    assert not faults(f'{SPACE}root = "{here}"\n')
    os.chdir("sub")
    assert faults(SPACE + 'root = ".."\n'), "the nearest checkout is sub itself"
    assert load("../no.toml")[1][0].startswith(f"{here}/no.toml file-unreadable:")
    (here / "sub/.git").rmdir()
    assert not faults(SPACE + 'root = ".."\n')


def test_what_no_member_can_choose_is_told_at_its_place_and_once() -> None:
    put(a="n", b="N", w=SPACE + '[build]\nstrategy = "x"\ncritics = ["syntax", "test"]\n')
    assert load("w.toml") == (
        [],
        [
            "w.toml:4:1 unknown-strategy: unknown strategy 'x' | known: direct",
            "w.toml:5:1 unknown-critics: unknown critics 'test' | did you mean `tests`?",
        ],
    )


def test_nothing_leads_out(here: Path) -> None:
    patterns = ["/etc/*", "../*", "sub/../*", "", ".", "**x", "\\u0000", "x" * 300, "a/" * 3000, "out/*", "[z-a]"]
    (here / "sub").mkdir()
    Path("out").symlink_to("/etc")
    for pattern in patterns:
        shown = repr(pattern.replace("\\u0000", "\x00"))
        line = f"bad-path: {shown} matches no file below {here.name}/ | "
        text = f'[workspace]\nmembers = ["w.toml", "{pattern}"]\ndata = ["{pattern}"]\n'
        assert faults(text) == [f"w.toml:2:1 {line}", f"w.toml:3:1 {line}"]
    for output in ("..", "out", "\\u0000"):
        assert faults(f'{SPACE}output = "{output}"\n') == ["w.toml:3:1 bad-path: `output` lies outside `root` | "]
    assert faults(UNIT) == ["w.toml missing-key: there is no [workspace] | "]
