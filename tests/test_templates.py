"""Templates of one's own: read below a folder, and all that is wrong with them told before anything is sent."""

import subprocess
import sys
from pathlib import Path

import ai_coding
import pytest
from ai_coding import templates
from ai_coding.diagnostic import Span
from ai_coding.faults import Faults
from ai_coding.ir import Language, Spec
from ai_coding.ir import Test as Case

OUT = "leads out of the folder that this file may read"


def read(root: Path, folder: str) -> tuple[dict[str, str], list[Path], list[str]]:
    faults = Faults("x.toml", {("build", "prompts"): Span("x.toml", 7)})
    texts, files = templates.read(faults, root, folder)
    return texts, files, [f"{d.span.line if d.span else 0} {d.code}: {d.message}" for d in faults.found]


def test_the_templates_of_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "own"
    folder.mkdir(parents=True)
    for name in ("request.j2", "other.j2"):
        (folder / name).write_text(name)
    assert read(tmp_path, "a/own") == ({"a/own/request.j2": "request.j2"}, [folder / "request.j2"], [])
    (folder / "system.j2").write_bytes(b"\xff")
    assert read(tmp_path, "a/own/")[2] == ["7 bad-encoding: 'a/own/system.j2' is not UTF-8 text"]
    (folder / "system.j2").write_text("é")
    assert list(read(tmp_path, "a/own/")[0].items()) == [("a/own/system.j2", "é"), ("a/own/request.j2", "request.j2")]
    assert read(tmp_path / "a", "own")[2] == []


def test_what_is_no_folder_of_templates(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "request.j2").write_text("x")
    (tmp_path / "in/link").symlink_to("..")
    assert read(tmp_path / "in", "no") == ({}, [], ["7 missing-file: there is no file 'no/request.j2'"])
    for folder in ("..", "link", "", "/", "no/..", "\x00", str(tmp_path)):
        texts, files, (fault,) = read(tmp_path / "in", folder)
        assert texts == {} and files == [] and fault.startswith("7 bad-path: ") and fault.endswith(OUT), folder


def check(text: str, system: str = "") -> list[str]:
    """Line, message and help of what is said of a request.j2 with this text."""
    prompts = {"own/system.j2": system, "own/request.j2": text}
    unit = Spec(Path("x.toml"), "x", Language("c", "c"), {"R1": "r"}, tests=(Case("t"),), prompts=prompts)
    found = templates.check(unit, Path.cwd())
    for each in found:
        assert (each.severity, each.code) == ("error", "bad-template") and each.span
        lines = prompts[each.span.file].split("\n")
        line = lines[each.span.line - 1] if each.span.line else ""
        assert (each.span.text, each.span.column, each.span.length) == (line, 1, max(1, len(line)))
    return [f"{d.span.file[4:]}:{d.span.line} {d.message} | {d.help}" for d in found if d.span]


KNOWN = "known: spec, program, changes, problems, tests"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{{ spec.name }}{% for test in tests %}{{ loop.index }}{{ test.name | fenced }}{% endfor %}", []),
        ("a\n{% include 'ai_coding/request.j2' %}\n{{ range(3) | list }}{% set x = 1 %}{{ x }}", []),
        ("{{ problems[0].text if problems }}{{ program.entry if program }}{{ changes | text }}", []),
        ("a\n{% if %}", ["2 not a template: Expected an expression, got 'end of statement block' | "]),
        ("\n\n{{ 1 | no }}", ["3 not a template: No filter named 'no'. | "]),
        ("{{ " + "(" * 9999 + "}}", ["0 not a template: it is nested too deep | "]),
        ("{{ b }}\n{{ z ~ a }}\n{{ a ~ b }}{{ spec.no }}",
         [f"1 `b` is undefined | {KNOWN}", f"2 `a` is undefined | {KNOWN}", f"2 `z` is undefined | {KNOWN}"]),
        ("a\n\n{{ spec.nam }}", ["3 cannot be rendered: 'ai_coding.ir.Spec object' has no attribute 'nam' | "]),
        ("{% if program and problems %}\n{{ 1 / 0 }}{% endif %}", ["2 cannot be rendered: division by zero | "]),
        ("{% if changes %}\n\n{{ tests[9].name }}{% endif %}",
         ["3 cannot be rendered: list object has no element 9 | "]),
        ("{% if problems and not program %}\n{{ {}.x.y }}{% endif %}",
         ["2 cannot be rendered: 'dict object' has no attribute 'x' | "]),
        ("{% macro f() %}\n{{ 'x'.join(5) }}{% endmacro %}\n{{ f() }}",
         ["2 cannot be rendered: can only join an iterable | "]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_template(text: str, found: list[str]) -> None:
    assert check(text) == [f"request.j2:{line}" for line in found]


@pytest.mark.parametrize(
    "text",
    [
        "{{ spec.path.read_text() }}", "{{ (spec.path / 'x').write_text('x') }}", "{{ spec.path | attr('unlink') }}",
        "{{ spec.path['stat']() }}", "{{ ''.__class__ }}", "{{ tests.append(1) }}", "{% include '/etc/hosts' %}",
        "{% include 'ai_coding/../prompt.py' %}", "{% include 'request.j2' %}", "{{ range(10**9) | list }}",
        "{{ '%s' % nothing.x }}", "{% for a in 'x' %}" * 30 + "{% endfor %}" * 30, "{{ 'x' * 10**30 }}",
        "{% import 'os' as os %}", "{{ cycler.__init__.__globals__ }}", "{{ 'x'.encode('y') }}",
    ],
)  # fmt: skip
def test_templates_of_strangers(text: str) -> None:
    """Nothing leads to files or to Python's insides, and nothing raises."""
    assert check(text)


def test_both_templates_are_looked_at() -> None:
    assert [line.split()[0] for line in check("{{ a }}", "\n{{ b }}")] == ["system.j2:2", "request.j2:1"]
    assert check("{{ spec.a }}", "\n{{ spec.b }}")[0].startswith("system.j2:2 cannot be rendered: ")


def test_they_are_called_as_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = Spec(Path("x.toml"), "x", Language("c", "c"), {"R1": "r"}, prompts={"own/request.j2": "{{ a }}"})
    monkeypatch.chdir(tmp_path)
    for root, name in ((tmp_path / "a", "a/own/request.j2"), (tmp_path.parent, f"{tmp_path.parent}/own/request.j2")):
        (found,) = templates.check(unit, root)
        assert found.span and found.span.file == name


def test_without_templates_nothing_is_done() -> None:
    code = "import sys; from pathlib import Path; from ai_coding import ir, templates"
    code += "; found = templates.check(ir.Spec(Path('x'), 'x', ir.Language('c', 'c'), {}), Path())"
    code += "; print(found, 'jinja2' in sys.modules)"
    env = {"PYTHONPATH": str(Path(ai_coding.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "[] False\n"
