"""The house is in order: types, style, sizes, and nothing heavy imported where it is not needed."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from conftest import PACKAGE, REPO, RIGHT, Run

HEAVY = ("openai", "groq", "jinja2", "tomlkit", "rich", "httpx", "filelock", "asyncio", "hypothesis")


def check(*command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_types() -> None:
    check("mypy")


def test_style() -> None:
    check("flake8", "ai_coding", "tests", "setup.py")


def test_no_module_is_long() -> None:
    long = {p.name: n for p in (REPO / "ai_coding").rglob("*.py") if (n := len(p.read_text().splitlines())) > 260}
    assert long == {}


def test_every_module_says_what_comes_in_and_goes_out() -> None:
    for path in (REPO / "ai_coding").rglob("*.py"):
        text = path.read_text()
        assert text.startswith('"""'), path
        if path.name not in ("__init__.py", "__main__.py"):
            assert "In:" in text.split('"""')[1] and "Out:" in text.split('"""')[1], path


def imported(code: str, env: dict[str, str], cwd: Path) -> list[str]:
    """Which heavy modules a fresh process has imported after code."""
    tail = f"\nimport sys; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code + tail], env=env, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(eval(done.stdout.splitlines()[-1]))


def test_importing_costs_next_to_nothing(env: dict[str, str], tmp_path: Path) -> None:
    assert imported("import ai_coding, ai_coding.cli", env, tmp_path) == []


def test_an_up_to_date_build_imports_nothing_heavy(
    run: Run, env: dict[str, str], fizz: Path, model: Callable[..., str]
) -> None:
    run(fizz, "-m", model(RIGHT))
    assert imported("from ai_coding.cli import main; main(['fizz.toml'])", env, fizz.parent) == []


def test_it_speaks_of_itself_alone() -> None:
    """No machine paths and no package hosts in what is shipped."""
    for path in [REPO / "README.md", *PACKAGE.joinpath("ai_coding").rglob("*.py"), *(REPO / "examples").glob("*.lock")]:
        text = path.read_text()
        assert "/root/" not in text and "/work/" not in text and "pypi.org" not in text, path
