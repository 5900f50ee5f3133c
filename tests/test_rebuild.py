"""The tool rebuilds a part of itself, proves it, notices every broken byte, and survives being killed."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import ai_coding
import pytest
from ai_coding import bootstrap, proof
from ai_coding.ir import Outcome, Settings

WORKSPACE = """\
[workspace]
members = ["*.toml"]
root = ".."
output = "."
data = DATA
[build]
committed = true
critics = ["syntax", "tests"]
[project]
requirements = "Small modules."
"""
UNIT = """\
[file]
name = "ai_coding/extra"
language = "python"
[project]
requirements = "WORD is the word extra."
[[tests]]
name = "word"
command = "python3 -c 'from ai_coding.extra import WORD; assert WORD == \\"extra\\"'"
"""
SUITE = "from ai_coding.extra import WORD\n\ndef test_it():\n    assert WORD.startswith('extra')\n"
WRONG = "````python ai_coding/extra.py\nWORD = 'other'\n\n\ndef more():\n    return 1\n````\n"
EDIT = "````search ai_coding/extra.py\nWORD = 'other'\n````\n````replace\nWORD = 'extra'\n````\n"
LOUD = "````search ai_coding/extra.py\nWORD = 'extra'\n````\n````replace\nWORD = 'extra!'\n````\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree whose package is this one, apart from one module that a requirement file yields."""
    root = tmp_path / "tree"
    package = Path(ai_coding.__file__).parent
    shutil.copytree(package, root / "ai_coding", ignore=shutil.ignore_patterns("__pycache__", "iteration.txt"))
    data = [path.relative_to(root).as_posix() for path in sorted((root / "ai_coding").rglob("*")) if path.is_file()]
    workspace = WORKSPACE.replace("DATA", json.dumps([*data, "setup.py"]))
    for folder, name, text in (
        ("self", "ai_coder.toml", workspace),
        ("self", "extra.toml", UNIT),
        ("tests", "test_it.py", SUITE),
        (".git", "x", ""),
        ("", "setup.py", "'''Nothing.'''\n"),
    ):
        (root / folder).mkdir(exist_ok=True)
        (root / folder / name).write_text(text)
    return root


Rebuild = Callable[..., "Outcome | list[tuple[object, Outcome]]"]


@pytest.fixture
def rebuild(tree: Path, tmp_path: Path) -> Rebuild:
    """Rebuild with a model that gives these replies."""
    (tmp_path / "calls").write_text("")

    def call(*replies: str, **plan: object) -> "Outcome | list[tuple[object, Outcome]]":
        (tmp_path / "replies.json").write_text(json.dumps(replies))
        (tmp_path / "model.py").write_text(
            "import json, pathlib, sys\nhere = pathlib.Path(__file__).parent\nsys.stdin.read()\n"
            "open(here / 'calls', 'a').write('x')\nreplies = json.loads((here / 'replies.json').read_text())\n"
            "(here / 'replies.json').write_text(json.dumps(replies[1:]))\nprint(replies[0], end='')\n"
        )
        model = f"command:{sys.executable} {tmp_path / 'model.py'}"
        steps = bootstrap.rebuild(
            tree,
            Settings(tmp_path / "journal", tree, model, unsafe=True),
            bootstrap.Plan(**plan),  # type: ignore[arg-type]
        )
        try:
            while True:
                next(steps)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    return call


def problems(tree: Path) -> list[str]:
    return [f"{d.code} {d.span.file if d.span else ''}" for d in proof.check(tree).problems]


def test_a_generation_is_built_archived_and_proven(tree: Path, rebuild: Rebuild) -> None:
    """The first program fails, the edit passes; both stand in the transcript; stage 2 agreed."""
    ended = rebuild(WRONG, EDIT, notes="The first.")
    assert isinstance(ended, Outcome) and ended.status == "built", ended
    assert (tree / "ai_coding/extra.py").read_text().startswith("WORD = 'extra'\n")
    assert (tree / "ai_coding/iteration.txt").read_text() == "0\n"
    report = json.loads((tree / "history/iter0/report.json").read_text())
    assert report["units"]["ai_coding/extra.py"]["requests"] == 2
    assert not report["units"]["ai_coding/extra.py"]["passed_at_first_attempt"]
    steps = json.loads((tree / "history/iter0/transcripts/extra.json").read_text())["steps"]
    assert ["request" in step for step in steps] == [True, False, True, False]
    assert "The first." in (tree / "history/iter0/NOTES.md").read_text()


def test_the_next_generation_changes_one_module(tree: Path, rebuild: Rebuild, tmp_path: Path) -> None:
    rebuild(WRONG, EDIT)
    rebuild(dry=False)
    spec = tree / "self/extra.toml"
    spec.write_text(spec.read_text().replace("word extra", "word extra, loud").replace('"extra\\"', '"extra!\\"'))
    assert problems(tree) == ["differs self/extra.toml", "other-request self/extra.toml"]
    ended = rebuild(LOUD)
    assert isinstance(ended, Outcome) and ended.status == "built", ended
    assert problems(tree) == []
    assert len((tmp_path / "calls").read_text()) == 3
    assert (tree / "ai_coding/extra.py").read_text().startswith("WORD = 'extra!'\n")
    assert json.loads((tree / "history/iter1/transcripts/extra.json").read_text())["base"] == 0


def test_every_broken_byte_is_noticed(tree: Path, rebuild: Rebuild) -> None:
    """Module, lock, transcript, template, requirement file: the message names the file."""
    rebuild(WRONG, EDIT)
    spec = tree / "self/extra.toml"
    spec.write_text(spec.read_text().replace("word extra", "word extra, loud").replace('"extra\\"', '"extra!\\"'))
    rebuild(LOUD)
    assert problems(tree) == []
    for path in (
        "ai_coding/extra.py", "ai_coding/reply.py", "self/extra.lock", "self/extra.toml", "self/ai_coder.toml",
        "setup.py",
        "ai_coding/prompts/request.j2", "history/iter1/transcripts/extra.json", "history/iter1/ai_coding/extra.py",
        "history/iter1/report.json", "ai_coding/languages.toml",
    ):  # fmt: skip
        data = (tree / path).read_bytes()
        (tree / path).write_bytes(data[:-2] + b"#" + data[-1:])
        assert any(path in problem for problem in problems(tree)), path
        (tree / path).write_bytes(data)
    (tree / "ai_coding/sneaky.py").write_text("x = 1\n")
    assert "not-generated ai_coding/sneaky.py" in problems(tree)


def test_a_failing_suite_leaves_everything_as_it_was(tree: Path, rebuild: Rebuild) -> None:
    (tree / "tests/test_it.py").write_text(SUITE.replace("'extra'", "'else'"))
    ended = rebuild(WRONG, EDIT)
    assert (
        isinstance(ended, Outcome) and ended.status == "failed" and "test-suite fails" in ended.diagnostics[0].message
    )
    assert not (tree / "history").exists() and not (tree / "ai_coding/extra.py").exists()


def test_a_dry_run_changes_nothing(tree: Path, rebuild: Rebuild) -> None:
    ended = rebuild(WRONG, EDIT, dry=True)
    assert isinstance(ended, Outcome) and ended.status == "built" and ended.summary.startswith("dry run")
    assert not (tree / "history").exists() and not (tree / "self/extra.lock").exists()


def test_a_module_is_asked_for_anew(tree: Path, rebuild: Rebuild, tmp_path: Path) -> None:
    rebuild(WRONG, EDIT)
    ended = rebuild("````python ai_coding/extra.py\nWORD = 'ex' + 'tra'\n````\n", anew=["extra"])
    assert isinstance(ended, Outcome) and ended.status == "built", ended
    assert problems(tree) == [] and "take = 2" in (tree / "self/extra.lock").read_text()
    missing = rebuild(anew=["nothing"])
    assert isinstance(missing, Outcome) and missing.diagnostics[0].code == "no-unit"


def test_asking_anew_goes_on_until_it_is_promoted(tree: Path, rebuild: Rebuild, tmp_path: Path) -> None:
    """A suite that fails, or replies that are not there yet, end a rebuild; the next one loses none of its answers."""
    rebuild(WRONG, EDIT)
    (tree / "tests/test_more.py").write_text("def test_it():\n    assert False\n")
    other = "````python ai_coding/extra.py\nWORD = 'ex' + 'tra'\n````\n"
    for anew in (["extra"], None, ["extra"]):
        ended = rebuild(other, anew=anew)
        assert isinstance(ended, Outcome) and ended.status == "failed" and ended.diagnostics[0].code == "tests"
        assert len((tmp_path / "calls").read_text()) == 3
    (tree / "tests/test_more.py").unlink()
    ended = rebuild()
    assert isinstance(ended, Outcome) and ended.status == "built", ended
    assert problems(tree) == [] and "take = 2" in (tree / "self/extra.lock").read_text()
    assert (tree / "ai_coding/extra.py").read_text().startswith("WORD = 'ex' + 'tra'\n")


def test_killed_while_promoting(tree: Path, rebuild: Rebuild) -> None:
    """Whatever was in place stays whole, and the next start finishes what was decided."""
    rebuild(WRONG, EDIT)
    code = (
        "import sys\nfrom pathlib import Path\nfrom ai_coding import bootstrap\n"
        "root = Path(sys.argv[1])\nprint('go', flush=True)\n"
        "while True:\n    (root / '.self/promoting').write_text('0')\n    bootstrap.finish(root)\n"
    )
    for delay in (0.0, 0.003, 0.006, 0.01, 0.015, 0.02):
        env = {**os.environ, "PYTHONPATH": str(Path(ai_coding.__file__).parent.parent)}
        run = subprocess.Popen([sys.executable, "-c", code, str(tree)], stdout=subprocess.PIPE, env=env)
        assert run.stdout and run.stdout.readline() == b"go\n"
        time.sleep(delay)
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert (tree / "ai_coding/extra.py").read_text().startswith("WORD = 'extra'\n")
        assert len(list((tree / "ai_coding").glob("*.py"))) > 20
        (tree / ".self/promoting").write_text("0")
        bootstrap.finish(tree)
        assert problems(tree) == []


REBUILD = """\
import sys
from pathlib import Path
from ai_coding import bootstrap
from ai_coding.ir import Settings
root, journal, model = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
steps = bootstrap.rebuild(root, Settings(journal, root, model, unsafe=True), bootstrap.Plan())
print("go", flush=True)
while True:
    try:
        next(steps)
    except StopIteration as done:
        print(done.value.status)
        break
"""


def start(tree: Path, tmp_path: Path) -> subprocess.Popen[str]:
    """`ai_coding self` in a process of its own, with a model that answers every request with the right program."""
    (tmp_path / "right.py").write_text(
        "import pathlib, sys\nsys.stdin.read()\nopen(pathlib.Path(__file__).with_name('asked'), 'a').write('x')\n"
        f"print({WRONG.replace('other', 'extra')!r}, end='')\n"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(ai_coding.__file__).parent.parent)}
    model = f"command:{sys.executable} {tmp_path / 'right.py'}"
    command = [sys.executable, "-c", REBUILD, str(tree), str(tmp_path / "journal"), model]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def state(tree: Path) -> dict[str, bytes]:
    """All that a rebuild may change when it promotes: the package, setup.py and the locks."""
    found = [*(tree / "ai_coding").rglob("*"), *(tree / "self").glob("*.lock"), tree / "setup.py"]
    return {
        p.relative_to(tree).as_posix(): p.read_bytes() for p in found if p.is_file() and "__pycache__" not in p.parts
    }


def test_killed_at_any_point_the_old_package_or_the_new_one_is_whole(tree: Path, tmp_path: Path) -> None:
    before = state(tree)
    clock = time.monotonic()
    whole = start(tree, tmp_path)
    out, err = whole.communicate()
    assert out == "go\nbuilt\n", err
    lasts = time.monotonic() - clock
    after = state(tree)
    assert after.keys() - before.keys() == {"ai_coding/extra.py", "ai_coding/iteration.txt", "self/extra.lock"}
    pick = random.Random(3)
    for _ in range(12):
        for name in after.keys() - before.keys():
            (tree / name).unlink(missing_ok=True)
        for left in ("history", ".self"):
            shutil.rmtree(tree / left, ignore_errors=True)
        for _ in range(2):
            run = start(tree, tmp_path)
            time.sleep(pick.uniform(0, lasts))
            run.kill()
            run.communicate()
            found = state(tree)
            package = {name: text for name, text in found.items() if name.startswith("ai_coding/")}
            old, new = ({k: v for k, v in each.items() if k.startswith("ai_coding/")} for each in (before, after))
            assert package in (old, new)
            if not (tree / ".self/promoting").exists():
                assert found in (before, after), "nothing was decided, or all of it is done"
    bootstrap.finish(tree)
    out, err = start(tree, tmp_path).communicate()
    assert out in ("go\nbuilt\n", "go\ncurrent\n"), err
    assert state(tree) == after and problems(tree) == []


def test_two_at_once_do_not_mix(tree: Path, tmp_path: Path) -> None:
    """The second waits for the first, and finds nothing left to do."""
    both = [start(tree, tmp_path), start(tree, tmp_path)]
    said = sorted(run.communicate()[0] for run in both)
    assert said == ["go\nbuilt\n", "go\ncurrent\n"]
    assert (tmp_path / "asked").read_text() == "x" and [p.name for p in (tree / "history").iterdir()] == ["iter0"]
    assert problems(tree) == []
