"""Whole builds through the command line, with a model that is a list of replies."""

import json
from collections.abc import Callable
from pathlib import Path

from conftest import EDIT, FIZZ, RIGHT, WRONG, Run

Model = Callable[..., str]
Calls = Callable[[], list[str]]


def test_a_build_that_passes_at_once_asks_once(run: Run, fizz: Path, model: Model, calls: Calls) -> None:
    done = run(fizz, "-m", model(RIGHT))
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "fizz.py: built (1 request; 1 test passed in bubblewrap)\n",
        "",
    )
    assert len(calls()) == 1
    assert sorted(p.name for p in fizz.parent.iterdir()) == ["fizz.lock", "fizz.py", "fizz.toml", "journal", "model"]


def test_a_failed_program_is_repaired_by_edits(run: Run, fizz: Path, model: Model, calls: Calls) -> None:
    done = run(fizz, "-m", model(WRONG, EDIT))
    assert done.returncode == 0, done.stderr
    first, second = calls()
    assert "What is wrong" not in first
    assert "  -Fizz\n  +Fuzz" in second and "python3" in second
    assert "````python fizz.py\nif True:\n    print('Fuzz')\n````" in second


def test_the_lock_is_enough(run: Run, fizz: Path, model: Model) -> None:
    """Elsewhere, with an empty journal, no key and no model, the lock gives the same bytes."""
    run(fizz, "-m", model(RIGHT))
    program = fizz.with_name("fizz.py")
    before = program.read_bytes()
    program.unlink()
    done = run(fizz, AI_CODING_JOURNAL=str(fizz.parent / "other"))
    assert (done.returncode, done.stdout) == (0, "fizz.py: from the lock\n")
    assert program.read_bytes() == before
    assert run(fizz, "--locked").stdout == "fizz.py: up to date\n"


def test_nothing_is_asked_twice(run: Run, fizz: Path, model: Model, calls: Calls) -> None:
    """A recorded answer is read again: here after the outputs and the lock were deleted."""
    name = model(WRONG, EDIT)
    run(fizz, "-m", name)
    fizz.with_name("fizz.py").unlink()
    fizz.with_name("fizz.lock").unlink()
    assert run(fizz, "-m", name).returncode == 0
    assert len(calls()) == 2


def test_budget_and_best_attempt(run: Run, fizz: Path, model: Model, calls: Calls) -> None:
    other = WRONG.replace("Fuzz", "Fozz")
    done = run(fizz, "-m", model(WRONG, other, other), "--attempts", "2")
    assert done.returncode == 1 and len(calls()) == 2
    assert "error[not-accepted]: no program was accepted: 2 attempts were not enough" in done.stderr
    assert "error[tests]: test 'fizz' failed: standard output differs" in done.stderr
    best = done.stderr.partition("the best attempt is ")[2].split("\n")[0]
    assert "Fuzz" in Path(best).read_text()
    assert not fizz.with_name("fizz.py").exists() and not fizz.with_name("fizz.lock").exists()


def test_it_stops_when_the_model_repeats_itself(run: Run, fizz: Path, model: Model, calls: Calls) -> None:
    done = run(fizz, "-m", model(*[WRONG] * 9), "--attempts", "9")
    assert done.returncode == 1 and len(calls()) == 2
    assert "the model repeats itself" in done.stderr


def test_it_stops_without_progress(run: Run, fizz: Path, model: Model, calls: Calls) -> None:
    done = run(fizz, "-m", model(*[WRONG.replace("Fuzz", str(i)) for i in range(9)]), "--attempts", "9")
    assert done.returncode == 1 and len(calls()) == 3
    assert "two attempts brought no progress" in done.stderr


def test_an_unreadable_reply_is_told_to_the_model(run: Run, fizz: Path, model: Model, calls: Calls) -> None:
    done = run(fizz, "-m", model("````python fizz.py\nprint(", "```python ../fizz.py\nx\n```", RIGHT))
    assert done.returncode == 0
    assert "What is wrong with your last answer" in calls()[1] and "reply-cut-off" in calls()[1]
    assert "reply-path" in calls()[2]
    assert not (fizz.parent.parent / "fizz.py").exists()


def test_hand_edits_are_protected(run: Run, fizz: Path, model: Model, calls: Calls) -> None:
    """An edited file is refused before anything is asked; --force keeps a copy."""
    run(fizz, "-m", model(RIGHT, RIGHT.replace("'Fizz'", "'Fi' 'zz'")))
    program = fizz.with_name("fizz.py")
    program.write_text("mine = 1\n")
    assert run("status", fizz).stdout == "fizz.toml: edited by hand\n"
    done = run(fizz)
    assert (done.returncode, program.read_text()) == (2, "mine = 1\n")
    assert "error[emit-edited]" in done.stderr and "--force" in done.stderr
    assert run(fizz, "--anew", "-m", model(RIGHT)).returncode == 2 and len(calls()) == 1
    forced = run(fizz, "--force")
    assert forced.returncode == 0 and program.read_text() == "print('Fizz')\n"
    assert fizz.with_name("fizz.py.orig").read_text() == "mine = 1\n"


def test_a_file_that_was_there_first_is_protected(run: Run, fizz: Path, model: Model, calls: Calls) -> None:
    fizz.with_name("fizz.py").write_text("mine = 1\n")
    assert run(fizz, "-m", model(RIGHT)).returncode == 2
    assert calls() == []


def test_a_pulled_lock_replaces_the_older_output(run: Run, fizz: Path, model: Model) -> None:
    """Somebody else's newer lock arrives: the program that this machine built before is not a hand edit."""
    name = model(RIGHT, "````python fizz.py\nprint('Fi' + 'zz')\n````\n")
    run(fizz, "-m", name)
    program, lock = fizz.with_name("fizz.py"), fizz.with_name("fizz.lock")
    old = lock.read_bytes()
    run(fizz, "--anew", "-m", name)
    assert program.read_text() == "print('Fi' + 'zz')\n"
    lock.write_bytes(old)
    assert run(fizz).stdout == "fizz.py: from the lock\n"
    assert program.read_text() == "print('Fizz')\n"


def test_small_changes_send_the_old_program(run: Run, fizz: Path, model: Model, calls: Calls) -> None:
    reply = "````search fizz.py\nprint('Fizz')\n````\n````replace\nprint('Fizz')  # politely\n````\n"
    name = model(RIGHT, reply)
    run(fizz, "-m", name)
    fizz.write_text(fizz.read_text().replace("Print Fizz.", "Print Fizz, politely."))
    assert run("status", fizz).stdout == "fizz.toml: stale: requirements changed\n"
    assert run(fizz, "-m", name).returncode == 0
    assert "-Print Fizz.\n+Print Fizz, politely." in calls()[1] and "print('Fizz')" in calls()[1]
    assert fizz.with_name("fizz.py").read_text() == "print('Fizz')  # politely\n"


def test_comments_and_layout_make_nothing_stale(run: Run, fizz: Path, model: Model, calls: Calls) -> None:
    run(fizz, "-m", model(RIGHT))
    fizz.write_text("# a comment\n\n" + FIZZ.replace(" = ", "="))
    assert run(fizz).stdout == "fizz.py: up to date\n"
    assert len(calls()) == 1


def test_a_changed_test_judges_the_old_program_first(run: Run, fizz: Path, model: Model, calls: Calls) -> None:
    name = model(RIGHT, "````search fizz.py\nprint('Fizz')\n````\n````replace\nprint('Fizz\\nBuzz')\n````\n")
    run(fizz, "-m", name)
    fizz.write_text(FIZZ + "[[tests]]\nname = 'again'\nstdout_matches = 'zz'\n")
    assert run("status", fizz).stdout == "fizz.toml: stale: test again added\n"
    assert run(fizz, "-m", name).stdout == "fizz.py: built (0 requests; 2 tests passed in bubblewrap)\n"
    assert len(calls()) == 1
    fizz.write_text(FIZZ.replace('"Fizz\\n"', '"Fizz\\nBuzz\\n"'))
    assert run(fizz, "-m", name).stdout == "fizz.py: built (1 request; 1 test passed in bubblewrap)\n"
    assert "What is wrong with the program so far" in calls()[1]


def test_anew_asks_from_scratch(run: Run, fizz: Path, model: Model, calls: Calls) -> None:
    name = model(RIGHT, "````python fizz.py\nprint('Fi' + 'zz')\n````\n")
    run(fizz, "-m", name)
    assert run(fizz, "--anew", "-m", name).returncode == 0
    assert calls()[0] == calls()[1] and "take = 2" in fizz.with_name("fizz.lock").read_text()
    assert fizz.with_name("fizz.py").read_text() == "print('Fi' + 'zz')\n"


def test_anew_without_a_model_changes_nothing(run: Run, fizz: Path, model: Model) -> None:
    run(fizz, "-m", model(RIGHT))
    assert run(fizz, "--anew").returncode == 3
    assert run(fizz).stdout == "fizz.py: up to date\n"


def test_held_out_tests_are_not_shown_and_fail_the_build(run: Run, fizz: Path, model: Model, calls: Calls) -> None:
    hidden = "[[tests]]\nname = 'hidden'\nargs = ['secret-word']\nstdout = 'no'\nheld_out = true\n"
    fizz.write_text(FIZZ + hidden)
    done = run(fizz, "-m", model(RIGHT))
    assert done.returncode == 1 and "a held-out test failed" in done.stderr
    assert len(calls()) == 1 and "secret-word" not in calls()[0]
    assert not fizz.with_name("fizz.py").exists()


def test_locked_says_what_is_wrong(run: Run, fizz: Path, model: Model) -> None:
    done = run(fizz, "--locked")
    assert done.returncode == 2 and "error[lock-missing]" in done.stderr
    run(fizz, "-m", model(RIGHT))
    fizz.write_text(FIZZ.replace("Print", "Show"))
    done = run(fizz, "--locked")
    assert done.returncode == 2 and "fizz.lock does not match: requirements changed" in done.stderr


def test_a_damaged_lock_is_an_error(run: Run, fizz: Path, model: Model) -> None:
    run(fizz, "-m", model(RIGHT))
    lock = fizz.with_name("fizz.lock")
    lock.write_text(lock.read_text().replace("'Fizz'", "'Fozz'"))
    fizz.with_name("fizz.py").unlink()
    done = run(fizz)
    assert done.returncode == 2 and "error[lock-damaged]" in done.stderr
    assert not fizz.with_name("fizz.py").exists()


def test_no_model_lists_the_ways_on(run: Run, fizz: Path) -> None:
    done = run(fizz)
    assert done.returncode == 3
    assert "error[no-model]: no model is named, and no key is set (fizz.toml: never built)" in done.stderr
    assert "OPENAI_API_KEY" in done.stderr and "-m manual" in done.stderr


def test_manual_waits_and_goes_on(run: Run, fizz: Path) -> None:
    """A model may answer later: exit code 4, the paths, and the next build picks the reply up."""
    done = run(fizz, "-m", "manual")
    assert done.returncode == 4
    (entry,) = json.loads(run("pending", "--format", "json").stdout)
    assert set(entry) == {"spec", "request", "prompt", "reply"} and entry["spec"] == str(fizz)
    assert entry["prompt"] in done.stdout and "Print Fizz." in Path(entry["prompt"]).read_text()
    assert run("status", fizz).stdout == "fizz.toml: waiting for a reply\n"
    Path(entry["reply"]).write_text(WRONG)
    assert run(fizz, "-m", "manual").returncode == 4
    (second,) = json.loads(run("pending", "--format", "json").stdout)
    assert second["request"] != entry["request"]
    Path(second["reply"]).write_text(EDIT)
    assert run(fizz, "-m", "manual").returncode == 0
    assert json.loads(run("pending", "--format", "json").stdout) == []
    assert fizz.with_name("fizz.py").read_text() == "if True:\n    print('Fizz')\n"


def test_an_outdated_request_waits_no_longer(run: Run, fizz: Path) -> None:
    run(fizz, "-m", "manual")
    fizz.write_text(FIZZ.replace("Print", "Show"))
    run(fizz, "-m", "manual")
    (entry,) = json.loads(run("pending", "--format", "json").stdout)
    assert "Show Fizz." in Path(entry["prompt"]).read_text()


def test_show_prints_the_request(run: Run, fizz: Path, model: Model) -> None:
    done = run("show", fizz, "-m", "manual")
    assert "Print Fizz." in done.stdout and "tokens" in done.stderr
    request = json.loads(run("show", fizz, "-m", "manual", "--format", "json").stdout)
    run(fizz, "-m", "manual")
    (entry,) = json.loads(run("pending", "--format", "json").stdout)
    assert entry["request"] == request["request"]


def test_json_events(run: Run, fizz: Path, model: Model) -> None:
    done = run(fizz, "-m", model(WRONG, EDIT), "--format", "json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [e["event"] for e in events if e["event"] != "token"]
    steps = "building started asked replied judged asked replied judged emitted ended finished"
    assert kinds == steps.split()
    assert events[-1]["status"] == "built" and events[-1]["files"] == ["fizz.py"]


def test_output_folder_and_several_files(run: Run, fizz: Path, model: Model) -> None:
    other = fizz.with_name("buzz.toml")
    other.write_text(FIZZ.replace('"fizz"', '"buzz"'))
    done = run(fizz, other, "-j1", "-o", "out", "-m", model(RIGHT, RIGHT.replace("fizz", "buzz")))
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (fizz.parent / "out").iterdir()) == ["buzz.py", "fizz.py"]
    assert run(fizz, other, "-o", "out").stdout == "fizz.py: up to date\nbuzz.py: up to date\n"


def test_used_units(run: Run, fizz: Path, model: Model, calls: Calls) -> None:
    """A unit sees the interface of what it uses, and its program in the sandbox; a changed program judges it again."""
    fizz.write_text(FIZZ.replace("[[tests]]", "interface = 'WORD: str'\n\n[[tests]]"))
    user = fizz.with_name("user.toml")
    user.write_text(FIZZ.replace('"fizz"', '"user"').replace("[[tests]]", 'uses = ["fizz.toml"]\n[[tests]]'))
    library, loud = (
        "````python fizz.py\nWORD = 'Fizz'\nprint(WORD)\n````",
        "````python fizz.py\nWORD = 'F' 'izz'\nprint(WORD)\n````",
    )
    name = model(library, "````python user.py\nimport fizz\nassert fizz.WORD\n````", loud)
    assert "error[not-built]: fizz.toml is needed and is not built" in run(user, "-m", name).stderr
    assert run(fizz, user, "-j1", "-m", name).returncode == 0
    assert "WORD: str" in calls()[1]
    assert run(fizz, "--anew", "-m", name).returncode == 0
    assert run("status", user).stdout == "user.toml: stale: uses fizz.py changed\n"
    assert run(user, "-m", name).stdout == "user.py: built (0 requests; 1 test passed in bubblewrap)\n"


def test_the_command_line(run: Run, fizz: Path) -> None:
    assert run("--version").stdout.startswith("ai_coding ")
    assert "examples:" in run("--help").stdout
    assert run().returncode == 2 and run("no-such.toml").returncode == 2
    assert "error[file-unreadable]" in run("no-such.toml").stderr
    assert run("check", fizz).stdout == "fizz.toml: fine; 1 requirement, 1 test\n"


def test_a_command_that_fails(run: Run, fizz: Path) -> None:
    done = run(fizz, "-m", "command:false")
    assert done.returncode == 3 and "error[command-failed]: 'false' ended with exit code 1" in done.stderr
    assert run(fizz, "-m", "command:no-such-program").returncode == 3
    assert run(fizz, "-m", "nobody:x").returncode == 3


def test_programs_of_many_languages(run: Run, tmp_path: Path, model: Model) -> None:
    """Compiled and interpreted; one that does not parse is sent back with the compiler's words."""
    source = '````c hi.c\n#include <stdio.h>\nint main(void) { puts("Fizz"); return 0; }\n````'
    (tmp_path / "hi.toml").write_text(FIZZ.replace('"fizz"', '"hi"').replace("python", "c"))
    done = run("hi.toml", "-m", model(source.replace("; return 0", " return 0"), source))
    assert done.returncode == 0, done.stderr
    for number, (language, text) in enumerate({"bash": "echo Fizz", "javascript": "console.log('Fizz')"}.items()):
        path = tmp_path / f"x{number}.toml"
        path.write_text(FIZZ.replace('"fizz"', f'"x{number}"').replace("python", language))
        (tmp_path / "model" / "calls.jsonl").unlink()
        done = run(path, "-m", model(f"````\n{text}\n````\n"))
        assert done.returncode == 0, done.stderr
