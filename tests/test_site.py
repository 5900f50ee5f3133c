"""Where a build stands is found out from the lock, the files and what this machine remembers."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from ai_coding import journal, lock, prompt, site
from ai_coding.diagnostic import Span, error
from ai_coding.ir import Event, Language, Outcome, Program, Settings, Spec, digest
from ai_coding.lock import Lock

FIZZ = Program({"fizz.py": "print('Fizz')\n"}, "fizz.py")
RESTORE = "restore it from version control, or ask again with --anew --force"


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    (tmp_path / "out").mkdir()
    return Spec(tmp_path / "fizz.toml", "fizz", Language("python", "py"), {"": "Print Fizz."})


def plan(spec: Spec, **flags: bool) -> Settings:
    return Settings(spec.path.parent / "journal", spec.path.parent / "out", **flags)  # type: ignore[arg-type]


def accept(spec: Spec, take: int = 1, committed: bool = False, program: Program = FIZZ) -> None:
    """Write the lock of an accepted build."""
    made = Lock(lock.asked(spec), lock.judged(spec, {}), program, take, "manual")
    lock.path_for(spec.path).write_text(lock.write(made, committed))


def survey(spec: Spec, **flags: bool) -> site.Site:
    with site.alone(spec, plan(spec, **flags)) as key:
        found, faults = site.survey(spec, plan(spec, **flags), key)
    assert found and not faults
    return found


def stands(spec: Spec, **flags: bool) -> tuple[int, str]:
    return (found := survey(spec, **flags)).take, found.why


def end(spec: Spec, answer: dict[str, str] | None) -> object:
    """What comes of waiting for the needed units."""
    steps = site.neighbours(survey(spec))
    with pytest.raises(StopIteration) as done:
        assert next(steps) == Event("needs", "fizz.toml", {"units": [str(need) for need in spec.needs]})
        steps.send(answer)
    return done.value.value


def test_a_source_is_where_the_first_build_starts(spec: Spec) -> None:
    """The model is told all requirements as what is to change; a lock's program takes the source's place."""
    spec = replace(
        spec, source="print('Fuzz')\n", requirements={"R1": "Print Fizz.", "R2": "Once."}, description="Fizz"
    )
    program = Program({"fizz.py": "print('Fuzz')\n"}, "fizz.py")
    changes = "--- requirements R1\n+++ requirements R1\n@@ -0,0 +1 @@\n+Print Fizz.\n"
    changes += "--- requirements R2\n+++ requirements R2\n@@ -0,0 +1 @@\n+Once."
    assert survey(spec).base == survey(spec, anew=True).base == (program, changes)
    accept(spec)
    assert survey(spec).base == (FIZZ, "") and survey(spec, anew=True).base == (None, "")


def test_a_unit_that_was_never_built(spec: Spec) -> None:
    found, key = survey(spec), journal.unit(spec.path, plan(spec).out)
    assert (found.spec, found.settings, found.key, found.old) == (spec, plan(spec), key, None)
    assert (found.take, found.asked, found.why, found.base) == (1, lock.asked(spec), "never built", (None, ""))
    assert survey(spec, anew=True).take == 1, "there is nothing yet to be asked anew"
    for is_open, again in ((True, 1), (False, 2)):  # a first build that waits goes on; one that failed is asked anew
        found.remember(open=is_open)
        assert stands(spec) == (1, "never built") and survey(spec, anew=True).take == again


def test_the_lock_answers_or_says_what_changed(spec: Spec) -> None:
    accept(spec, take=3)
    assert stands(spec) == (3, "") and survey(spec).base == (FIZZ, "")
    changed = replace(spec, requirements={"": "Print Buzz."}, hints={"": "Be quick."})
    found = survey(changed)
    assert found.why == "hints added, requirements changed"
    assert found.base == (FIZZ, prompt.difference(lock.asked(spec), lock.asked(changed))) and found.base[1]
    staged = lock.path_for(spec.path).rename(spec.path.with_name("staged"))
    found.record.parent.mkdir()
    found.record.write_text(json.dumps([[str(staged), str(lock.path_for(spec.path))]]))
    assert stands(spec) == (3, ""), "what a killed build had committed is put in place first"
    lock.path_for(spec.path).write_text("x")
    damaged, (fault,) = site.survey(spec, plan(spec, anew=True, force=True), "key")
    assert damaged is None and fault.code == "lock-damaged"


def test_anew_raises_the_take_until_it_has_ended(spec: Spec) -> None:
    """An `--anew` that waits or was killed goes on, also without the flag; one that failed changes nothing."""
    accept(spec)
    new = survey(spec, anew=True)
    assert (new.take, new.why, new.base) == (2, "asked anew, take 2", (None, ""))
    assert survey(spec, anew=True).take == 2, "nothing was asked yet"
    new.remember(open=True)
    assert stands(spec) == stands(spec, anew=True) == (2, "asked anew, take 2") and stands(spec, locked=True) == (1, "")
    new.remember(open=False)
    assert stands(spec) == (1, "") and survey(spec).base == (FIZZ, "")
    survey(spec).remember(open=False)
    assert survey(spec, anew=True).take == 3, "take 2 has its answers"


def test_the_take_of_a_pulled_lock_counts(spec: Spec) -> None:
    """Another machine's newer lock ends what this one had begun; an older one is started from all the same."""
    survey(spec).remember(open=True, outputs=["x"])
    accept(spec, take=4)
    assert stands(spec) == (4, "") and survey(spec, anew=True).take == 5
    survey(spec).remember(open=False)
    stored = journal.get(plan(spec).journal, "units", survey(spec).key)
    assert (stored["take"], stored["open"], stored["outputs"]) == (4, False, ["x"]), "other values are kept"
    accept(spec, take=2)
    assert stands(replace(spec, hints={"": "x"})) == (2, "hints added") and survey(spec, anew=True).take == 5


def test_a_committed_program_stands_in_the_output_alone(spec: Spec) -> None:
    accept(spec, committed=True)
    output = plan(spec).out / "fizz.py"
    output.write_text(FIZZ.files["fizz.py"])
    assert survey(spec).base == (FIZZ, "")
    output.write_bytes(b"print('Fizz')\r\n")
    assert survey(spec).base == (FIZZ, ""), "version control may change line ends; the program is the accepted one"
    output.rename(output.with_name("copy"))
    for what in ("is missing, and its lock holds no text", "is not what its lock says"):  # then it is a link
        lost = error("output-lost", f"fizz.py {what}", Span("fizz.py"), RESTORE)
        assert site.accepted(spec.path, plan(spec).out) == lost and site.survey(spec, plan(spec), "k") == (None, [lost])
        assert stands(spec, anew=True) == stands(spec, force=True) == (1, "never built")
        if not output.is_symlink():
            output.symlink_to("copy")


def test_needed_programs_are_read_when_their_builds_have_ended(spec: Spec) -> None:
    """One that waits lets this one wait; all that failed, were never built or are damaged are named."""
    a, b = (replace(spec, path=spec.path.with_name(name)) for name in ("a.toml", "b.toml"))
    user = replace(spec, needs=(a.path, b.path))
    missing = tuple(error("not-built", f"{n}.toml is needed and is not built", None, "build it first") for n in "ab")
    assert end(spec, None) == {}, "nothing needed, nothing yielded"
    assert site.not_built(a.path) == missing[0] and end(user, None) == Outcome("invalid", missing)
    assert end(user, {str(b.path): "waiting"}) == end(user, {str(a.path): "waiting"}) == Outcome("waiting")
    accept(a, program=Program({"a.py": "a = 1\n"}, "a.py"))
    assert end(user, {str(a.path): "failed"}) == Outcome("failed", missing), "its lock is of before"
    assert end(user, {str(a.path): "locked", str(b.path): "provider"}) == Outcome("provider", missing[1:])
    both = {str(b.path): "provider", str(a.path): "failed"}
    assert end(user, both) == Outcome("failed", missing), "the first in the order of needs"
    accept(b, program=Program({"b.py": "b = 1\n"}, "b.py"))
    assert end(user, {str(a.path): "current"}) == end(user, None) == {"a.py": "a = 1\n", "b.py": "b = 1\n"}


def test_only_what_its_builds_wrote_is_overwritten(spec: Spec) -> None:
    new, output = Program({"fizz.py": "new\n"}, "fizz.py"), plan(spec).out / "fizz.py"
    output.write_text("before\n")
    assert [d.code for d in site.clash(survey(spec), new)] == ["emit-edited"]
    survey(spec).remember(outputs=[digest(b"before\n")])
    assert site.clash(survey(spec), new) == []
    output.write_text(FIZZ.files["fizz.py"])
    assert [d.code for d in site.clash(survey(spec), new)] == ["emit-edited"]
    accept(spec)
    assert site.clash(survey(spec), new) == [], "the lock's program is ours, whoever built it"


def test_one_build_of_a_unit_at_a_time(spec: Spec) -> None:
    """A second build waits; the end of the first may come in another thread, because workers take turns."""
    first, order, second = site.alone(spec, plan(spec)), list[str](), site.alone(spec, plan(spec))
    assert (plan(spec).journal / "locks" / first.__enter__()).exists()
    waiting = threading.Thread(target=lambda: order.append(second.__enter__()), daemon=True)
    waiting.start()
    with site.alone(spec, replace(plan(spec), out=spec.path.parent)):
        waiting.join(0.3)
        assert not order
    ending = threading.Thread(target=first.__exit__, args=(None, None, None))
    ending.start()
    ending.join(10)
    waiting.join(10)
    assert order == [journal.unit(spec.path, plan(spec).out)]
