"""The package is exactly what self/ says; every archived generation runs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ai_coding import generation, proof
from conftest import PACKAGE, REPO

GENERATIONS = [REPO / f"history/iter{number}" for number in generation.iterations(REPO)]
staged = pytest.mark.skipif("AI_CODING_STAGE" in os.environ, reason="this is a stage: it is not archived yet")
generated = pytest.mark.skipif(len(GENERATIONS) < 2, reason="the package is still the hand-written bootstrap")


@staged
@generated
def test_the_package_is_what_self_says() -> None:
    found = proof.check(REPO)
    assert found.problems == ()
    assert found.counts["not generated"] == 0
    assert found.counts["requirement files"] * 3 <= found.counts["generated"]


@staged
@pytest.mark.parametrize("archive", GENERATIONS, ids=lambda path: path.name)
def test_every_generation_runs(archive: Path, tmp_path: Path) -> None:
    """Each archived package passes the core cases."""
    env = {**os.environ, "AI_CODING_PACKAGE": str(archive), "PYTHONPATH": str(archive)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(REPO / "tests/test_cases.py")]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    version = subprocess.run(
        [sys.executable, "-P", "-m", "ai_coding", "--version"], env=env, cwd=tmp_path, capture_output=True, text=True
    )
    assert f"iteration {archive.name.removeprefix('iter')}" in re.findall(r"iteration \d+", version.stdout)


@staged
def test_reports_name_what_answered() -> None:
    for archive in GENERATIONS[1:]:
        report = json.loads((archive / "report.json").read_text())
        assert report["units"] and all(unit["model"] for unit in report["units"].values())


def test_this_is_the_package_under_test() -> None:
    assert Path(proof.__file__).is_relative_to(PACKAGE)
