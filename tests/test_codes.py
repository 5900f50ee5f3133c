"""Every code has an explanation, and every explanation a code. What is missing goes into ai_coding/explanations.md."""

import json
import re

import codes
from conftest import PACKAGE, REPO, Run

HEADINGS = re.findall(r"^## ([^\s:]+): .+$", (PACKAGE / "ai_coding/explanations.md").read_text("utf-8"), re.MULTILINE)


def test_every_code_has_an_explanation() -> None:
    assert sorted(codes.codes() - set(HEADINGS)) == []


def test_every_explanation_has_a_code() -> None:
    assert sorted(set(HEADINGS) - codes.codes()) == [] and len(HEADINGS) == len(set(HEADINGS))


def test_codes_that_are_formed_at_run_time_are_known() -> None:
    """A module that is told here has to be added to the table in tests/codes.py."""
    assert codes.unexplained() == set() and set(codes.FORMED) <= set(codes.names())
    assert {"unknown-key", "cycle", "tests", "no-model", "damaged-archive", "other-program"} <= codes.codes()


def test_codes_that_only_tests_and_documents_mention_exist() -> None:
    """`error[CODE]`, wherever it stands in the README and among the examples of diagnostics."""
    texts = [REPO / "README.md", *(REPO / "tests/diagnostics").glob("*.txt")]
    named = {
        code for path in texts for code in re.findall(r"(?:error|warning|note)\[([^]]+)\]", path.read_text("utf-8"))
    }
    assert named <= set(HEADINGS)


def test_a_person_asks_what_a_code_means(run: Run) -> None:
    done = run("explain", "unknown-key")
    assert done.returncode == 0 and done.stdout.startswith("unknown-key: ") and done.stderr == ""
    done = run("explain")
    assert done.returncode == 0 and [line.split()[0] for line in done.stdout.splitlines()] == HEADINGS
    assert [row["code"] for row in json.loads(run("explain", "--format", "json").stdout)] == HEADINGS
    done = run("explain", "unknown-kye")
    assert done.returncode == 2 and done.stdout == "" and "did you mean `unknown-key`" in done.stderr
