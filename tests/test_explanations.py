"""What is said of a code at length: found by the code, by its family, or nearly."""

import subprocess
import sys
from pathlib import Path

import ai_coding
import pytest
from ai_coding import explanations

PACKAGE = Path(ai_coding.__file__).parent


def test_an_explanation_is_found_by_its_code() -> None:
    found = explanations.find("unknown-key")
    assert found is not None and found is explanations.table()["unknown-key"] is explanations.find("Unknown-KEY")
    assert (found.code, found.title) == ("unknown-key", "a section has a key that is not known there")
    assert found.text.startswith("A misspelt key ") and "\n\n    [file]\n    langauge = " in found.text
    assert found.text.endswith("The README lists the keys of every section.")
    assert hash(found) and found == explanations.Explanation(found.code, found.title, found.text)
    assert explanations.find("unknown-keys") is None and explanations.find("") is None


@pytest.mark.parametrize(
    ("code", "family"),
    [
        ("provider-429", "provider-*"), ("PROVIDER-5", "provider-*"), ("provider-*", "provider-*"),
        ("flake8-E501", "flake8-*"), ("flake8-abc123", "flake8-*"), ("flake8-F", ""),
        ("flake8-failed", "flake8-failed"), ("provider-42\n", ""),
        ("flake8-", ""), ("flake8-1E", ""), ("provider-4-9", ""), ("provider-٤", ""), ("lock-429", ""),
    ],
)  # fmt: skip
def test_formed_codes_have_the_explanation_of_their_family(code: str, family: str) -> None:
    found = explanations.find(code)
    assert (found.code if found else "") == family


def test_the_data_file_is_read_as_its_rules_say(tmp_path: Path) -> None:
    """In another package of the same name, and only once."""
    text = "# a: b\n\n## no\n\n## a-b: One: two\n\n\n    # x\n  y\n\nz\n\n# c: d\n\nout\n"
    text += "## c:\n## e: f\r\n\r\ng\r\n### h: i\n#j\n## k: l"
    folder = tmp_path / "ai_coding"
    folder.mkdir()
    for name, data in (("__init__.py", b""), ("explanations.md", text.encode())):
        (folder / name).write_bytes(data)
    (folder / "explanations.py").write_bytes((PACKAGE / "explanations.py").read_bytes())
    code = (
        "import sys; from pathlib import Path; from ai_coding import explanations as e\n"
        "assert not {'difflib', 'importlib.resources'} & set(sys.modules), 'heavy'\n"
        "print([(x.code, x.title, x.text) for x in e.table().values()])\n"
        "Path('ai_coding/explanations.md').unlink(); assert e.table() is e.table() and e.find('E')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={}, capture_output=True, text=True)
    rows = [("a-b", "One: two", "    # x\n  y\n\nz"), ("e", "f", "g\n### h: i\n#j"), ("k", "l", "")]
    assert (done.stdout, done.stderr) == (f"{rows}\n", "")


def test_what_may_have_been_meant() -> None:
    locks = [code for code in explanations.table() if code.startswith("lock-")]
    assert len(locks) == 4 and explanations.near("lock") == explanations.near("LOCK-") == locks
    assert explanations.near("unknown-kye")[0] == "unknown-key" and len(explanations.near("unknown-kye")) <= 3
    assert explanations.near("cycles")[0] == "cycle"
    assert explanations.near("qqqq") == explanations.near("") == []


def test_every_explanation_can_be_read_in_a_terminal() -> None:
    assert len(explanations.table()) > 80
    for code, each in explanations.table().items():
        assert each.code == code == code.lower() and each.title == each.title.strip() and not each.title.endswith(".")
        assert each.text and each.text == each.text.strip("\n"), code
        assert all(len(line) <= 100 and line == line.rstrip() for line in each.text.splitlines()), code
        assert len(f"{code}: {each.title}") <= 100 and "\t" not in each.text and "```python\n" not in each.text
