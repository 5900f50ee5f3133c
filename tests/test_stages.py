"""Stage 1 is a copy to build in; stage 2 is built by stage 1 from what was recorded, and has to be the same."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from ai_coding import journal, lock, stages
from ai_coding.diagnostic import Diagnostic
from ai_coding.ir import Program, Reply, Settings, Spec, Verdict
from ai_coding.lock import Lock
from ai_coding.transcript import Judgement, Question, Unit

WORKSPACE = """\
[workspace]
members = ["*.toml"]
root = ".."
output = "."
[build]
committed = true
[project]
requirements = "Small modules."
"""
UNIT = '[file]\nname = "ai_coding/NAME"\nlanguage = "python"\n[project]\nrequirements = "WORD is extra."\n'
# A package that, as stage 1, tells how it was called and builds what it is told to.
MAIN = """\
import json, os, pathlib, sys
print("x\\n" * 30 + "said", file=sys.stderr)
about = {"argv": sys.argv[1:], "env": dict(os.environ), "stdin": sys.stdin.read(), "safe": sys.flags.safe_path}
pathlib.Path("../told.json").write_text(json.dumps(about))
for name, text in json.loads(pathlib.Path(__file__).with_name("stage2.json").read_text()).items():
    pathlib.Path(name).write_text(text)
sys.exit(pathlib.Path("fails").exists() or pathlib.Path("tests/fails").exists())
"""
LOCK = Lock({}, {}, Program({}, "ai_coding/extra.py"), take=3, digests={"ai_coding/extra.py": "sha256:0"})
SETTINGS = Settings(Path("/none"), Path("/none"), "groq:x", unsafe=True)
BAD = json.loads(json.dumps(asdict(Verdict((Diagnostic("error", "tests", "it fails"),), 1, (), "none"))))
WARNED = json.loads(json.dumps(asdict(Verdict((Diagnostic("warning", "style", "long"),), 1, (), "none"))))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    texts = {
        "self/ai_coder.toml": WORKSPACE, "self/extra.toml": UNIT.replace("NAME", "extra"), "self/extra.lock": "a lock",
        "self/more.toml": UNIT.replace("NAME", "more"), "ai_coding/extra.py": "extra", "ai_coding/more.py": "more",
        "ai_coding/__main__.py": MAIN, "ai_coding/stage2.json": "{}", "ai_coding/__pycache__/x.pyc": "", ".git/x": "",
        "tests/test_a.py": "def test_a():\n    pass\n", ".flake8": "", "README.md": "", "other/x": "", "history/x": "",
    }  # fmt: skip
    for name, text in texts.items():
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text(text)
    return tmp_path / "tree"


def made(root: Path) -> tuple[Path, Spec]:
    specs, found = stages.make(root)
    assert found == [] and [spec.path.name for spec in specs] == ["extra.toml", "more.toml"]
    return root / ".self/stage", specs[0]


def test_the_stage(root: Path) -> None:
    (root / ".self/stage/leftover").mkdir(parents=True)
    stage, spec = made(root)
    assert sorted(path.name for path in stage.iterdir()) == [".flake8", "README.md", "ai_coding", "self", "tests"]
    names = sorted(path.name for path in (stage / "ai_coding").iterdir())
    assert names == ["__main__.py", "extra.py", "stage2.json"], "the output without a lock is not there"
    assert (root / "ai_coding/more.py").exists()
    assert spec.path == stage.resolve() / "self/extra.toml" and spec.output == stage.resolve()


def test_faults_are_told_without_hiding_other_units(root: Path) -> None:
    (root / "self/more.toml").write_text("[file]\n")
    specs, found = stages.make(root)
    assert [spec.entry for spec in specs] == ["ai_coding/extra.py"]
    assert found and {fault.severity for fault in found} == {"error"}


def test_the_suite_runs_in_the_stage(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "tests/test_a.py").write_text(
        "import os, pathlib\ndef test_a():\n    stage = pathlib.Path(os.environ['PYTHONPATH'])\n"
        "    assert os.environ['AI_CODING_STAGE'] == '1' and os.environ['OURS'] == 'yes'\n"
        "    assert stage.samefile('.') and stage.parts[-2:] == ('.self', 'stage')\n"
    )
    monkeypatch.setenv("OURS", "yes")
    made(root)
    assert stages.suite(root) == [], (root / ".self/tests.log").read_text()
    assert "1 passed" in (root / ".self/tests.log").read_text()


def test_a_failing_suite_is_told_by_its_end(root: Path) -> None:
    (root / "tests/test_a.py").write_text("def test_a():\n    print('line\\n' * 50)\n    assert 0, 'because'\n")
    made(root)
    (found,) = stages.suite(root)
    first, *rest = found.message.split("\n")
    assert (found.code, first) == ("tests", "the test-suite fails on stage 1") and ".self/tests.log" in found.help
    assert rest == (root / ".self/tests.log").read_text().splitlines()[-25:]


def again(root: Path, unit: Unit, settings: Settings = SETTINGS, **stage2: str) -> list[Diagnostic]:
    """Stage 1 holds extra.py "new" and its lock "new"; as stage 2 it makes these files."""
    stage = root / ".self/stage"
    names = {"output": "ai_coding/extra.py", "lock": "self/extra.lock"}
    (stage / "ai_coding/stage2.json").write_text(json.dumps({names[key]: text for key, text in stage2.items()}))
    for name in names.values():
        (stage / name).write_text("new")
    return stages.again(root, settings, [unit])


def test_stage_1_builds_stage_2(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    stage, spec = made(root)
    assert again(root, Unit(spec, None, LOCK, ()), output="new", lock="new") == []
    told = json.loads((root / ".self/told.json").read_text())
    assert told["argv"][:2] == ["build", "self/ai_coder.toml"] and told["stdin"] == "" and told["safe"]
    assert sorted(told["argv"][2:]) == sorted(["-m", "groq:x", "-q", "--unsafe-sandbox"])
    assert told["argv"][told["argv"].index("-m") + 1] == "groq:x"
    env = {key: value for key, value in told["env"].items() if key not in ("PATH", "LC_CTYPE", "PWD", "SHLVL", "_")}
    assert env == {"PYTHONPATH": str(root / ".self/one"), "AI_CODING_JOURNAL": str(root / ".self/journal")}
    assert (root / ".self/one/ai_coding/extra.py").read_text() == "new" and (stage / "ai_coding/extra.py").exists()
    made(root)
    assert (
        again(root, Unit(spec, None, LOCK, ()), replace(SETTINGS, model="", unsafe=False), output="new", lock="new")
        == []
    )
    told = json.loads((root / ".self/told.json").read_text())
    assert told["argv"] == ["build", "self/ai_coder.toml", "-q"]


def test_a_difference_names_the_file(root: Path) -> None:
    _, spec = made(root)
    found = again(root, Unit(spec, None, LOCK, ()), output="new", lock="newer")
    assert [(d.code, d.message) for d in found] == [("stage2", "self/extra.lock differs between stage 1 and stage 2")]
    made(root)
    found = again(root, Unit(spec, None, LOCK, ()), output="newer")
    names = ["ai_coding/extra.py", "self/extra.lock"]
    assert [d.message for d in found] == [f"{name} differs between stage 1 and stage 2" for name in names]


def test_a_file_that_neither_stage_has_is_none(root: Path) -> None:
    _, spec = made(root)
    digests = {**LOCK.digests, "ai_coding/none.py": "sha256:0"}
    found = again(root, Unit(spec, None, replace(LOCK, digests=digests), ()), output="new", lock="new")
    assert [d.message for d in found] == ["ai_coding/none.py differs between stage 1 and stage 2"]


def test_a_stage_1_that_cannot_build(root: Path) -> None:
    (root / "tests/fails").write_text("")
    _, spec = made(root)
    found = again(root, Unit(spec, None, LOCK, ()), output="new", lock="newer")
    lines = found[0].message.split("\n")
    assert found[0].code == "stage2" and lines == ["stage 1 cannot build self/ai_coder.toml", *["x"] * 24, "said"]
    assert ".self/stage2.log" in found[0].help
    assert [d.message for d in found[1:]] == ["self/extra.lock differs between stage 1 and stage 2"]


def test_what_stage_2_remembers(root: Path) -> None:
    """Replies, verdicts with errors, and where the build started; nothing of an earlier rebuild."""
    stage, spec = made(root)
    memory = root / ".self/journal"
    journal.put(memory, "replies", "sha256:old", {})
    reply = asdict(Reply("text"))
    steps = (
        Question("sha256:q1", "m", reply),
        Judgement("sha256:p1", "sha256:v1", BAD),
        Judgement("sha256:p2", "sha256:v2", WARNED),
        Judgement("sha256:p2", "sha256:v3", BAD, held_out=True),
    )
    again(root, Unit(spec, None, LOCK, steps))
    assert journal.get(memory, "replies", "sha256:q1") == reply and journal.get(memory, "replies", "sha256:old") is None
    verdicts = [journal.get(memory, "verdicts", f"sha256:v{number}") for number in (1, 2, 3)]
    assert verdicts == [BAD, None, BAD]


@pytest.mark.parametrize(("before", "is_open"), [(None, False), (3, False), (2, True)])
def test_the_take_that_stage_1_began_goes_on(root: Path, before: int | None, is_open: bool) -> None:
    stage, spec = made(root)
    again(root, Unit(spec, None if before is None else replace(LOCK, take=before), LOCK, ()))
    state = journal.get(root / ".self/journal", "units", journal.unit(spec.path, stage))
    assert state["take"] == 3 and state.get("open", False) is is_open
    assert lock.path_for(spec.path).name == "extra.lock"


def test_what_a_rebuild_had_built_anew_goes_on(root: Path, tmp_path: Path) -> None:
    """The stage is made again from the old locks; what was answered in it is not asked again."""
    stages.resume(root, tmp_path / "journal")
    assert not (tmp_path / "journal").exists() and not (root / ".self/stage").exists()
    takes = {"extra": (2, 3), "more": (0, 1), "same": (2, 2), "new": (0, 2), "bad": (1, 5), "none": (1, 4)}
    stage = root / ".self/stage"
    (stage / "self").mkdir(parents=True)
    for name, (old, new) in takes.items():
        for folder, take in ((root, old), (stage, new)):
            (folder / f"self/{name}.toml").write_text(UNIT.replace("NAME", name))
            if take:
                text = lock.write(replace(LOCK, take=take), committed=True)
                (folder / f"self/{name}.lock").write_text(text if (folder, name) != (stage, "bad") else "damaged")
    keys = {name: journal.unit(stage / f"self/{name}.toml", stage) for name in takes}
    for name in ("extra", "more", "same", "new", "bad"):
        journal.put(tmp_path / "journal", "units", keys[name], {"take": 9, "open": False, "highest": 9, "kept": name})
    stages.resume(root, tmp_path / "journal")
    states = {name: journal.get(tmp_path / "journal", "units", key) for name, key in keys.items()}
    untouched = {"take": 9, "open": False, "highest": 9}
    assert states == {
        "extra": {"take": 3, "open": True, "highest": 9, "kept": "extra"},
        "new": {"take": 2, "open": True, "highest": 9, "kept": "new"},
        "none": None,
        **{name: {**untouched, "kept": name} for name in ("more", "same", "bad")},
    }
