"""Options, environment and requirement file decide together, in this order."""

import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any

import ai_coding
import platformdirs
import pytest
from ai_coding import settings
from ai_coding.ir import Language, Settings, Spec

MODELS = [  # -m, pinned in the requirement file, the environment, what is chosen, the environment for providers
    ("a:1", "b:2", "AI_CODING_MODEL=manual OPENAI_API_KEY=k", "a:1", "OPENAI_API_KEY=k"),
    ("", "b:2", "AI_CODING_MODEL=manual GROQ_API_KEY=g", "b:2", "GROQ_API_KEY=g"),
    ("", "", "AI_CODING_MODEL=command:x GROQ_BASE_URL=h", "command:x", "GROQ_BASE_URL=h"),
    ("", "", "AI_CODING_MODEL= OPENAI_API_KEY=k OPENAI_API_MODEL=m", "openai:m", "OPENAI_API_KEY=k"),
    ("", "", "OPENAI_API_URL=u OPENAI_BASE_URL=b OPENAI_API_MODEL=", "openai:gpt-5", "OPENAI_API_URL=u"),
    ("", "", "OPENAI_API_URL= OPENAI_BASE_URL=b", "openai:gpt-5", "OPENAI_API_URL=b"),
    ("", "", "OPENAI_API_KEY= GROQ_API_KEY=g", "groq:openai/gpt-oss-20b", "GROQ_API_KEY=g"),
    ("", "", "OPENAI_API_KEY=k GROQ_API_KEY=g", "openai:gpt-5", "OPENAI_API_KEY=k GROQ_API_KEY=g"),
    ("", "", "GROQ_BASE_URL=h OPENAI_API_MODEL=m", "", "GROQ_BASE_URL=h"),
    ("", "", "DEEPSEEK_API_KEY=d OPENAI_API_MODEL=m", "", "DEEPSEEK_API_KEY=d"),
    ("", "", "XAI_API_KEY=x GROQ_API_KEY=g", "groq:openai/gpt-oss-20b", "XAI_API_KEY=x GROQ_API_KEY=g"),
    ("", "", "OLLAMA_API_URL=o MISTRAL_API_URL=m OLLAMA_HOST=h", "", "OLLAMA_API_URL=o MISTRAL_API_URL=m"),
    ("", "", "GEMINI_API_KEY= GOOGLE_API_KEY=g", "", "GEMINI_API_KEY=g"),
    ("gemini:x", "", "GEMINI_API_KEY=a GOOGLE_API_KEY=b", "gemini:x", "GEMINI_API_KEY=a"),
    ("", "", "PATH=p GROQ_BASE_URL=", "", ""),
]


def unit(model: str = "", output: Path | None = None, attempts: int = 4) -> Spec:
    language = Language("python", "py")
    return Spec(Path("x.toml"), "x", language, {"": "Do."}, model=model, output=output, attempts=attempts)


def variables(text: str) -> dict[str, str]:
    return {name: value for name, _, value in (pair.partition("=") for pair in text.split())}


@pytest.mark.parametrize(("option", "pinned", "env", "model", "kept"), MODELS)
def test_models(option: str, pinned: str, env: str, model: str, kept: str) -> None:
    """Command line, requirement file, environment, and whichever key is set; empty variables count as unset."""
    found = settings.decide({"model": option}, MappingProxyType(variables(env)), unit(pinned))
    assert (found.model, dict(found.env)) == (model, variables(kept))
    if not pinned:
        assert settings.decide({"model": option}, variables(env), None) == found


def test_the_environment_is_the_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AI_CODING_MODEL", "OPENAI_API_KEY", "GROQ_API_KEY", "AI_CODING_JOURNAL"):
        monkeypatch.setenv(name, "here")
    found = settings.decide({}, {"AI_CODING_JOURNAL": "there"}, None)
    assert found == Settings(Path.cwd() / "there", Path.cwd())


def test_the_journal(tmp_path: Path) -> None:
    cache = platformdirs.user_cache_path("ai_coding")
    assert settings.journal({}) == settings.journal({"AI_CODING_JOURNAL": ""}) == cache.absolute()
    assert settings.journal({"AI_CODING_JOURNAL": "a/b"}) == Path.cwd() / "a" / "b"
    assert settings.journal({"AI_CODING_JOURNAL": str(tmp_path / "no")}) == tmp_path / "no"
    assert not (tmp_path / "no").exists()


def test_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """-o, the requirement file's, the current folder; absolute, but links are kept."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    pinned, here = unit(output=Path("pinned")), Path.cwd()
    assert settings.out({"out": Path("link")}, pinned) == here / "link"
    assert settings.out({"out": None}, pinned) == settings.out({}, pinned) == here / "pinned"
    assert settings.out({"out": None}, unit()) == settings.out({}, None) == here
    assert settings.decide({"out": Path("o")}, {"AI_CODING_JOURNAL": "j"}, pinned).out == here / "o"


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({}, {}),
        ({"attempts": 0, "locked": False, "anew": False, "force": False, "unsafe_sandbox": False, "jobs": 3}, {}),
        ({"attempts": 7}, {"attempts": 7}),
        ({"max_cost": 0.0}, {}),
        ({"max_cost": 2.5}, {"max_cost": 2.5}),
        ({"locked": True}, {"locked": True}),
        ({"anew": True}, {"anew": True}),
        ({"anew": ["ir"]}, {}),
        ({"anew": []}, {}),
        ({"anew": None}, {}),
        ({"force": True}, {"force": True}),
        ({"unsafe_sandbox": True}, {"unsafe": True}),
    ],
)
def test_options(options: dict[str, Any], fields: dict[str, Any]) -> None:
    """A command that does not have an option is one that was not given it; a list of units is no --anew of one."""
    given = MappingProxyType(options)
    expected = Settings(Path.cwd() / "j", Path.cwd(), **fields)
    assert settings.decide(given, {"AI_CODING_JOURNAL": "j"}, unit(attempts=9)) == expected


def test_where_programs_and_answers_are_costs_no_import() -> None:
    """An up-to-date build needs no more than these two folders."""
    code = "import sys; from ai_coding import settings; settings.journal({'AI_CODING_JOURNAL': 'j'})"
    code += "; settings.out({}, None); print(sorted(m for m in sys.modules if m.startswith(('ai_c', 'platformd'))))"
    env = {"PYTHONPATH": str(Path(ai_coding.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "['ai_coding', 'ai_coding.settings']\n"
