"""Notes: what a requirement file leaves open, each at its place; and little that it does not."""

from pathlib import Path
from typing import Any

import pytest
from ai_coding import notes
from ai_coding.ir import Language, Spec
from ai_coding.ir import Test as Case

HELP = "say what counts, with a number or an example"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def find(text: str, requirements: dict[str, str], *tests: Case, **texts: dict[str, str]) -> list[str]:
    """Place, code, message and help of the notes on a file of this text."""
    path = Path("x.toml").absolute()
    path.write_bytes(text.encode())
    rest: dict[str, Any] = {"tests": tests, **texts}
    found = notes.find(Spec(path, "x", Language("c", "c"), requirements, **rest))
    assert all(d.severity == "note" for d in found)
    return [f"{d.span}+{d.span.length} {d.code}: {d.message} | {d.help}" for d in found if d.span]


def words(text: str, **texts: dict[str, str]) -> list[str]:
    """The vague words of one requirement."""
    return [line.split("`")[1] for line in find("requirements = ''\n", {"": text}, **texts)]


@pytest.mark.parametrize("word", notes.VAGUE)
def test_every_vague_word(word: str) -> None:
    assert words(f"It is {word}.") == [word] == words(word.upper().replace(" ", " \n\t "))
    assert (
        words(f"x{word}") == words(f"{word}s") == words(f"`{word}` '{word}' \"{word}\" /{word} {word}/a _{word}") == []
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Be fast and robust, etc. Be fast.", ["fast", "robust", "etc"]),
        ("Handle errors gracefully and so\non, if  possible", ["gracefully", "and so on", "if possible"]),
        ("Answer fast, within 2 s. Be robust.", ["robust"]),
        ("Be fast. Answer within 2 s.", ["fast"]),
        ("Be fast! 3 times", ["fast"]), ("fast.5", []), ("3 times as fast", ["fast"]),
        ("fast. fast and 1 more", ["fast"]),
        ("fast-food breakfast steadfast Fast", ["fast"]),
        ("Be fast. That is: fast means at once.", []), ("fast\n means", []),
        ("fast (at once), fast.", []), ("fast:", []),
        ("fast meansit", ["fast"]), ("fast :", ["fast"]), ("", []),
    ],
)  # fmt: skip
def test_what_is_vague(text: str, found: list[str]) -> None:
    assert words(text) == found


def test_a_word_may_be_explained_elsewhere() -> None:
    for part in ("specs", "hints", "shared"):
        assert words("Be fast.", **{part: {"x": "A fast  (quick) one."}}) == []
        assert words("Be fast.", **{part: {"x": "A fast one."}}) == ["fast"]


def test_places() -> None:
    """A note stands at the word, or at the key where the word cannot be found in the file."""
    text = '# fast\n[project]\nrequirements = """\nBe `fast`,\r\n  fast and\n  so\non."""\nhints = "and so on"\n'
    note = "vague-word: `fast` can mean many things"
    found = find("\ufeff" + text, {"": "Be `fast`,\n  fast and\n  so\non."})
    assert found == [f"x.toml:5:3+4 {note} | {HELP}", f"x.toml:5:8+3 {note.replace('fast', 'and so on')} | {HELP}"]
    assert find("\ufeffrequirements = 'fast'", {"": "fast"}) == [f"x.toml:1:17+4 {note} | {HELP}"]
    escaped = "[requirements]\nR1 = '''slow'''\nR2 = \"a\\nfast\"\nR3 = 'fast'\n"
    assert find(escaped, {"R2": "a\nfast"}) == [f"x.toml:3:1+2 {note} | {HELP}"]
    assert find(escaped.replace("[", "[project."), {"R3": "fast"}) == [f"x.toml:4:7+4 {note} | {HELP}"]
    both = 'requirements = {R1 = "x fast"}\nproject.requirements = "fast"\n'
    assert [line.split()[0] for line in find(both, {"": "fast", "R1": "x fast"})] == ["x.toml:2:25+4", "x.toml:1:25+4"]


def test_a_requirement_that_no_test_covers(here: Path) -> None:
    text = "[requirements]\nR1 = 'x'\n[project.requirements]\nR2 = 'fast'\n'' = 'x'\n"
    named = {"R2": "fast", "": "x", "R1": "x"}
    missing = "not-covered: no test covers requirement 'R2' | add covers = [\"R2\"] to the test that shows it"
    assert len(find(text, named)) == len(find(text, named, Case("t"))) == 1
    found = find(text, named, Case("t"), Case("u", covers=("R1",), held_out=True))
    assert found == [f"x.toml:4:1+2 {missing}", f"x.toml:4:7+4 vague-word: `fast` can mean many things | {HELP}"]
    assert find(text, {"R1": "x"}, Case("t", covers=("R1",))) == []


def test_how_files_are_called(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "sub").mkdir()
    path = here / "x.toml"
    path.write_text("requirements = 'fast'")
    unit = Spec(path, "x", Language("c", "c"), {"": "fast"})
    monkeypatch.chdir(here / "sub")
    assert [d.span.file for d in notes.find(unit) if d.span] == [str(path)]
    monkeypatch.chdir(here.parent)
    assert [d.span.file for d in notes.find(unit) if d.span] == [f"{here.name}/x.toml"]


def test_there_may_be_none(here: Path) -> None:
    """They can be turned off; and a file that is broken or gone by now is no bug."""
    path = here / "x.toml"
    unit = Spec(path, "x", Language("c", "c"), {"": "fast"}, notes=False)
    path.write_text("requirements = 'fast'")
    assert notes.find(unit) == []
    for data in (b"\xff", b"x = ="):
        path.write_bytes(data)
        assert notes.find(Spec(path, "x", Language("c", "c"), {"": "fast"})) == []
    path.unlink()
    assert notes.find(Spec(path, "x", Language("c", "c"), {"": "fast"})) == []
