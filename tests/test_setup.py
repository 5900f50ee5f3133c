"""What setup.py tells setuptools, seen through a setuptools that only listens."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import ai_coding

TOP = Path(ai_coding.__file__).parents[1]
LISTENER = "import json\n\ndef setup(**words):\n    print(json.dumps(words))\n"


def run(tmp_path: Path, version: str) -> "subprocess.CompletedProcess[str]":
    """Run a copy of setup.py, with this text in the package and a README, from another folder."""
    source = tmp_path / "source"
    for name, text in (("listener/setuptools.py", LISTENER), ("source/ai_coding/__init__.py", version),
                       ("source/README.md", "# Schön\n"), ("elsewhere/README.md", "no")):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text.encode())
    shutil.copy(TOP / "setup.py", source)
    env = {"PYTHONPATH": str(tmp_path / "listener"), "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(source / "setup.py")]
    return subprocess.run(command, cwd=tmp_path / "elsewhere", env=env, capture_output=True, text=True)


def told(tmp_path: Path) -> dict[str, Any]:
    done = run(tmp_path, '"""Raises if imported."""\n\n__version__ = "1.2.3rc4"\n\nraise SystemExit(9)\n')
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_what_it_is(tmp_path: Path) -> None:
    """The version comes from the package's text, the long description from the README beside it."""
    found = told(tmp_path)
    assert (found["name"], found["version"], found["license"]) == ("ai_coding", "1.2.3rc4", "MIT")
    assert found["description"] == "A compiler whose source language is a requirement file"
    assert found["long_description"] == "# Schön\n" and found["long_description_content_type"] == "text/markdown"
    assert found["python_requires"] == ">=3.11"


def test_what_is_installed(tmp_path: Path) -> None:
    found = told(tmp_path)
    assert sorted(found["packages"]) == [
        "ai_coding",
        *(f"ai_coding.{n}" for n in ("backends", "critics", "strategies")),
    ]
    names = ["explanations.md", "iteration.txt", "keys.toml", "languages.toml", "prompts/*.j2", "providers.toml"]
    assert {key: sorted(value) for key, value in found["package_data"].items()} == {
        "ai_coding": [*names, "py.typed", "starter.j2"]
    }
    scripts = [script.replace(" ", "") for script in found["entry_points"]["console_scripts"]]
    assert list(found["entry_points"]) == ["console_scripts"] and scripts == ["ai_coding=ai_coding.cli:main"]


def test_what_it_needs(tmp_path: Path) -> None:
    """tomlkit's parser is private and pinned; the two SDKs stay within a major version."""
    found = told(tmp_path)
    assert found["install_requires"] == [
        "openai>=3.50,<4", "groq>=1.4,<2", "tomlkit>=0.15,<0.16", "jinja2>=3.1", "flake8>=7",
        "rich>=13", "platformdirs>=4", "filelock>=3.12", "genai-prices>=0.2", "shtab>=1.9",
    ]  # fmt: skip
    test = ["pytest>=8", "hypothesis>=6", "mypy>=1.10", "xllamacpp>=2026.10", "gguf", "numpy", "fastjsonschema>=2.16"]
    assert found["extras_require"] == {"local": ["xllamacpp>=2026.10"], "test": test}


def test_without_a_version_nothing_is_set_up(tmp_path: Path) -> None:
    done = run(tmp_path, '"""No version."""\n')
    assert done.returncode != 0 and done.stdout == ""
