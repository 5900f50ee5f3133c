"""The files that a requirement file names: where they may lie, and what is said of the rest."""

import os
import signal
import tomllib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from ai_coding import references
from ai_coding.diagnostic import Span
from ai_coding.ir import Use
from ai_coding.faults import Faults

COPY = ("tests", 7, "copy")
LISTS = (("project", "context"), ("project", "uses"), COPY)
UNIT = '[file]\nname = "n"\n[project]\ninterface = """\n\n  x\n\n"""\n'
OUT = "leads out of the folder that this file may read | only what lies in in/ is read: put a copy there"
ADD = "add it to the `interface` there"
HERE = "it is looked for in in/"
SMALL = "name an extract of it that is small enough"
CYCLE = "cycle 0: 'u.toml' uses this file in turn | move what both need to a third"
NONE = (
    'no-interface 0: \'u.toml\' has no `interface` that others may rely on | add interface = """…""" to its [project]'
)


def collect() -> Faults:
    """Faults with a place for every list and for ten elements of each: the line is the element's number plus 1."""
    places = {(*at, index): Span("x.toml", index + 1) for at in LISTS for index in range(10)}
    return Faults("x.toml", {**places, **{at: Span("x.toml", 99) for at in LISTS}})


def told(faults: Faults) -> list[str]:
    """Code, number of the element (98: the list), message and help of all faults."""
    assert all(fault.severity == "error" and fault.span for fault in faults.found)
    return [f"{d.code} {d.span.line - 1}: {d.message} | {d.help}" for d in faults.found if d.span]


def write(folder: Path, **files: str) -> None:
    """Requirement files by their names without `.toml`."""
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text)


def users(*used: str) -> str:
    """A requirement file with an interface that uses others."""
    return UNIT + f"uses = {[f'{name}.toml' for name in used]}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file, a folder, and links: within it, out of it, to nothing, and in a circle."""
    folder = tmp_path / "in"
    (folder / "d").mkdir(parents=True)
    (tmp_path / "out").write_text("secret")
    (folder / "d" / "f").write_bytes("\ufeffé\r\n".encode())
    (folder / "latin").write_bytes(b"\xff")
    links = {"inside": "d/f", "outside": "../out", "nothing": "gone", "far": "../gone", "loop": "loop", "up": ".."}
    for name, target in links.items():
        (folder / name).symlink_to(target)
    return folder


@pytest.fixture
def impatient() -> Iterator[None]:
    """Ends a test that waits, as a reader of a pipe does."""
    old = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits for a pipe"))
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, old)


@pytest.mark.parametrize("place", ["context", "copies"])
def test_files_that_are_too_big(folder: Path, place: str) -> None:
    """No more of them is read than that: they cost no memory."""
    for name, size in {"most": 1_000_000, "more": 1_000_001, "huge": 2**26}.items():
        with open(folder / name, "wb") as file:
            file.truncate(size)
    faults = collect()
    tracemalloc.start()
    if place == "context":
        found = references.context(faults, folder, ["more", "most", "huge"])[0]
        assert found == {"most": "\0" * 1_000_000}
    else:
        assert list(references.copies(faults, folder, ["more", "most", "huge"], COPY)[0]) == ["most"]
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    big = ((0, "more"), (2, "huge"))
    assert told(faults) == [f"file-too-big {i}: {n!r} has more than 1,000,000 bytes | {SMALL}" for i, n in big]


def test_context_is_text_with_its_line_ends_made_one(folder: Path) -> None:
    """Version control may have put CRLF for LF: nothing is told otherwise, and nothing is stale for it."""
    faults, real = collect(), folder / "d" / "f"
    texts, files = references.context(faults, folder, ["inside", "d/f"])
    assert list(texts.items()) == [("inside", "\ufeffé\n"), ("d/f", "\ufeffé\n")]
    assert set(files) == {real} and told(faults) == []
    (folder / "cr").write_bytes(b"a\rb\r\r\nc\r")
    assert references.context(faults, folder, ["cr"])[0] == {"cr": "a\rb\r\nc\r"}
    assert references.context(faults, folder, []) == ({}, [])


@pytest.mark.parametrize(
    "path", ["", "../out", "/etc/passwd", "d/../d/f", "./d/f", "d//f", "a\\b", "a\0", "C:/x", "a\n"]
)
@pytest.mark.parametrize("place", ["context", "copies", "uses"])
def test_paths_that_are_none(folder: Path, place: str, path: str) -> None:
    assert look(folder, place, [path]) == [f"bad-path 0: {path!r} {OUT}"]


@pytest.mark.parametrize("place", ["context", "copies", "uses"])
def test_links_and_what_is_no_file(folder: Path, place: str) -> None:
    """What counts is where a path really leads; a link out is one even if nothing is there."""
    long = "a/" * 3000 + "a"
    out = {path: f"bad-path @: {path!r} {OUT}" for path in ("outside", "far", "up/out", "up/in/../out")}
    gone = {p: f"missing-file @: there is no file {p!r} | {HERE}" for p in ("gone", "d", "nothing", "loop", long)}
    expected = {**out, **gone}
    listed = [path for pair in zip(out, gone) for path in pair] + [long]
    assert look(folder, place, listed) == [expected[p].replace("@", str(i)) for i, p in enumerate(listed)]


def look(folder: Path, place: str, listed: list[str]) -> list[str]:
    """What is said of paths in a list, none of which is a file that may be read."""
    faults = collect()
    if place == "context":
        assert references.context(faults, folder, listed) == ({}, [])
    elif place == "copies":
        # That two of them may have one name is not the question here.
        assert references.copies(faults, folder, listed, COPY) == ({}, [])
        faults.found[:] = [fault for fault in faults.found if fault.span != Span("x.toml", 99)]
    else:
        assert references.uses(faults, folder / "x.toml", listed) == ((), ())
    return told(faults)


def test_the_folder_itself_may_be_a_link(folder: Path) -> None:
    (folder.parent / "link").symlink_to("in")
    faults = collect()
    texts, files = references.context(faults, folder.parent / "link", ["d/f"])
    assert list(texts) == ["d/f"] and files == [folder / "d" / "f"] and told(faults) == []


def test_all_faults_of_context_in_order(folder: Path) -> None:
    faults = collect()
    texts, files = references.context(faults, folder, ["latin", "d/f", "gone", "it's"])
    assert list(texts) == ["d/f"] and folder / "d" / "f" in files
    assert told(faults) == [
        "bad-encoding 0: 'latin' is not UTF-8 text | save the file as UTF-8",
        f"missing-file 2: there is no file 'gone' | {HERE}",
        f'missing-file 3: there is no file "it\'s" | {HERE}',
    ]


def test_other_texts_are_read_likewise(folder: Path) -> None:
    faults = Faults("x.toml", {("build", "prompts"): Span("x.toml", 4)})
    assert references.context(faults, folder, ["d/f"], ("build", "prompts"))[1] and faults.found == []
    assert references.context(faults, folder, ["gone", "latin"], ("build", "prompts")) == ({}, [])
    assert [(d.code, d.span and d.span.line) for d in faults.found] == [("missing-file", 4), ("bad-encoding", 4)]


def test_copies_are_bytes_by_file_name(folder: Path) -> None:
    faults = collect()
    copy, files = references.copies(faults, folder, ["latin", "d/f", "inside"], COPY)
    data = "\ufeffé\r\n".encode()
    assert list(copy.items()) == [("latin", b"\xff"), ("f", data), ("inside", data)] and told(faults) == []
    assert set(files) == {folder / "latin", folder / "d" / "f"}


@pytest.mark.parametrize(
    ("listed", "missing", "name"),
    [
        (["d/f", "d/f"], [], "f"),
        (["latin", "d/f", "e/f", "x/latin", "e/f"], [2, 3, 4], "f"),
        (["gone", "d/gone", "x/gone"], [0, 1, 2], "gone"),
    ],
)
def test_two_files_to_copy_have_one_name(folder: Path, listed: list[str], missing: list[int], name: str) -> None:
    """That is told once, at the list, after all that is said of its elements."""
    faults = collect()
    references.copies(faults, folder, listed, COPY)
    gone = [f"missing-file {index}: there is no file {listed[index]!r} | {HERE}" for index in missing]
    way_out = "they are laid side by side: rename one of them"
    assert told(faults) == [*gone, f"bad-path 98: two files to copy are called {name!r} | {way_out}"]


def test_used_units_and_all_they_need(tmp_path: Path) -> None:
    """Of what a used file uses, all that is no good path is ignored; what is not there is a need all the same."""
    (tmp_path / "d").mkdir()
    (tmp_path / "link.toml").symlink_to("d/deep.toml")
    write(tmp_path, u=UNIT + 'uses = ["v.toml", "../z.toml", 1, "\\u0000", "gone.toml", "up/z.toml"]\n', v=users("u"))
    write(tmp_path, w=UNIT.replace('"n"', '"m"') + "uses = 5\nfoo = 1\n")
    (tmp_path / "up").symlink_to("..")
    write(tmp_path / "d", deep=users("beside"), beside="x = =")
    faults, paths = collect(), {name: tmp_path / f"{name}.toml" for name in ("u", "v", "w", "gone", "x")}
    deep, beside = tmp_path / "d" / "deep.toml", tmp_path / "d" / "beside.toml"
    used, needs = references.uses(faults, paths["x"], ["w.toml", "link.toml", "u.toml"])
    assert used == (Use(paths["w"], "m", "  x"), Use(deep, "n", "  x"), Use(paths["u"], "n", "  x"))
    assert needs[:3] == (paths["w"], deep, paths["u"]) and told(faults) == []
    assert sorted(needs[3:]) == sorted([paths["v"], paths["gone"], beside])


def test_names_that_are_relied_on(tmp_path: Path) -> None:
    """Behind a colon; the rest of the interface then does not count, and needs are the same."""
    shown = "LIMIT = 3\n\ndef run(a: int) -> int:\n    'One.'\nclass Row: ..."
    write(tmp_path, u=UNIT.replace("\n\n  x\n\n", f"\n{shown}\n") + 'uses = ["v.toml:f,g", "up/z.toml: a"]\n', v=UNIT)
    (tmp_path / "up").symlink_to("..")
    faults = collect()
    listed = ["u.toml", "u.toml: LIMIT", "u.toml:Row , run", "v.toml: anything"]
    used, needs = references.uses(faults, tmp_path / "x.toml", listed)
    run = shown.partition("\n\n")[2]
    assert [use.interface for use in used] == [shown, "LIMIT = 3", run, "  x"]
    assert needs == (tmp_path / "u.toml", tmp_path / "v.toml") and told(faults) == []


def test_names_that_are_not_offered(tmp_path: Path) -> None:
    write(tmp_path, u=UNIT.replace("  x", "def one(): ..."), v=UNIT + 'uses = ["x.toml: f"]\n', w="")
    faults = collect()
    listed = [
        "u.toml: one, One, two",
        "u.toml: one,",
        "u.toml:",
        "../u.toml: one",
        "gone.toml: a: b",
        "w.toml: a",
        "v.toml: q",
    ]
    used, _ = references.uses(faults, tmp_path / "x.toml", listed)
    assert told(faults) == [
        f"unknown-name 0: 'u.toml' does not offer 'One' | {ADD}",
        f"unknown-name 0: 'u.toml' does not offer 'two' | {ADD}",
        f"unknown-name 1: 'u.toml' does not offer '' | {ADD}",
        f"unknown-name 2: 'u.toml' does not offer '' | {ADD}",
        f"bad-path 3: '../u.toml' {OUT}".replace("in/", f"{tmp_path.name}/"),
        f"missing-file 4: there is no file 'gone.toml' | it is looked for in {tmp_path.name}/",
        NONE.replace("0: 'u", "5: 'w"),
        CYCLE.replace("0: 'u", "6: 'v"),
    ]
    assert used == () or used[-1].path == tmp_path / "v.toml", "those with a fault are left out"


def test_a_unit_that_is_used_twice_is_needed_once(tmp_path: Path) -> None:
    write(tmp_path, u=UNIT)
    faults, unit = collect(), Use(tmp_path / "u.toml", "n", "  x")
    assert references.uses(faults, tmp_path / "x.toml", ["u.toml", "u.toml"]) == ((unit, unit), (unit.path,))
    assert told(faults) == []


def test_a_used_unit_may_be_needed_by_an_earlier_one(tmp_path: Path) -> None:
    write(tmp_path, u=users("w", "v"), v=UNIT, w=UNIT)
    used, needs = references.uses(collect(), tmp_path / "x.toml", ["u.toml", "v.toml"])
    assert [use.path.stem for use in used] == ["u", "v"] and [path.stem for path in needs] == ["u", "v", "w"]


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ("", [NONE]),
        ("x = =", [NONE]),
        (f"x = {'[' * 9000}", [NONE]),
        ("file = []\nproject.interface = 'x'\n", [NONE]),
        ("file.name = 'n'\nproject = 1\n", [NONE]),
        (UNIT.replace('"n"', "1"), [NONE]),
        (UNIT + "#" * 1_000_000, [NONE]),
        (UNIT.replace('"""\n\n  x\n\n"""', "['x']"), [NONE]),
        (UNIT.replace('"""\n\n  x\n\n"""', '""'), []),
        (UNIT, []),
        ("\ufeff" + UNIT, []),
        (UNIT + 'uses = "x.toml"\n', []),
        (users("u"), []),
        (users("w"), []),
        (users("x"), [CYCLE]),
        (users("v"), [CYCLE]),
        ('project.uses = ["v.toml"]\n', [NONE, CYCLE]),
    ],
)
def test_uses_need_an_interface_and_no_circle(tmp_path: Path, used: str, expected: list[str]) -> None:
    """Nothing else of a used file counts here, not what it lacks and not the circles it is in with others."""
    write(tmp_path, u=used, v=users("x"), w=users("u"), x=users("u"))
    faults = collect()
    units, _ = references.uses(faults, tmp_path / "x.toml", ["u.toml"])
    assert told(faults) == expected and (expected or units[0].path == tmp_path / "u.toml")


def test_a_file_that_uses_itself(tmp_path: Path) -> None:
    """Under whatever name; and nothing is said of what follows."""
    write(tmp_path, x=users("x"))
    (tmp_path / "u.toml").symlink_to("x.toml")
    for path in ("x.toml", "u.toml"):
        faults = collect()
        gone = f"missing-file 0: there is no file 'gone.toml' | it is looked for in {tmp_path.name}/"
        references.uses(faults, tmp_path / path, ["gone.toml", "u.toml", "gone.toml"])
        assert told(faults) == [gone, CYCLE.replace("0", "1", 1)]


def test_a_long_chain_and_many_ways(tmp_path: Path) -> None:
    """No chain is too long to follow, and what is used in many ways is read once."""
    for index in range(1200):
        following = [f"{other}.toml" for other in (index + 1, index + 2)]
        (tmp_path / f"{index}.toml").write_text(f"project.uses = {following}\n")
    write(tmp_path, u=users("0"))
    faults = collect()
    _, needs = references.uses(faults, tmp_path / "x.toml", ["u.toml"])
    assert told(faults) == [] and needs[0] == tmp_path / "u.toml"
    assert len(needs) == len(set(needs)) == 1 + 1202


def test_the_same_bytes_are_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All units of a workspace name the same files. But what changed is noticed, even if size and time are the same."""
    parsed, loads = list[str](), tomllib.loads

    def counted(text: str, /) -> object:
        parsed.append(text)
        return loads(text)

    monkeypatch.setattr(tomllib, "loads", counted)
    for shown in ("first", "other"):
        write(tmp_path, u=UNIT.replace("  x", shown) + 'uses = ["v.toml"]\n', v=UNIT + f"# {shown}")
        os.utime(tmp_path / "u.toml", (1, 1))
        for name in "xyz":
            used, _ = references.uses(collect(), tmp_path / f"{name}.toml", ["u.toml", "v.toml"])
            assert [use.interface for use in used] == [shown, "  x"]
    assert len(parsed) == 4 and len(set(parsed)) == 4


@pytest.mark.usefixtures("impatient")
def test_pipes_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "v.toml")
    write(tmp_path, u=users("v"))
    faults, gone = collect(), f"missing-file 0: there is no file 'v.toml' | it is looked for in {tmp_path.name}/"
    _, needs = references.uses(faults, tmp_path / "x.toml", ["u.toml"])
    assert needs == (tmp_path / "u.toml", tmp_path / "v.toml") and told(faults) == []
    for place in ("context", "copies", "uses"):
        assert look(tmp_path, place, ["v.toml"]) == [gone]
