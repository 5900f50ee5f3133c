"""Where do two makings of the same requirement files disagree? Run by hand: python tests/versions.py FOLDER FOLDER …

In: folders that each hold a package ai_coding; -n inputs for each function.
Out: for each pure function the number of inputs on which not all answer alike, how many different answers there were
at all (few: the inputs show little), and the shortest input on which they differ, with the answers. Where they
disagree the requirement file is silent: decide, say it there, and test it.
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

BASE = "import sys\n\n\ndef one():\n    return 1\n\n\ndef two():\n    return 1\n"
SPEC = """\
[file]
name = "fizz"
language = "python"
extension = "py"
description = "Fizz"
[project]
specs = "s"
hints = '''
h
'''
interface = "def one() -> int: ..."
uses = ["used.toml"]
context = ["data.txt"]
[requirements]
R1 = "one"
R2 = "two"
[build]
strategy = "direct"
attempts = 2
critics = ["syntax", "tests"]
committed = true
[model]
name = "openai:gpt-5"
temperature = 0.5
seed = 3
[[tests]]
name = "first"
args = ["1"]
stdin = "x"
stdout = "fizz\\n"
exit_code = 0
timeout = 5
covers = ["R1"]
[[tests]]
command = "python3 -m pytest"
copy = ["data.txt"]
files = { "a/b" = "x" }
creates = { "d" = "x" }
held_out = true
env = { A = "b" }
"""
SOURCE = """\
import os
from typing import Any
LIMIT = 3
NAMES: tuple[str, ...] = ("a",)
class Box:
    \"\"\"A box.\"\"\"
    size: int = 3
    name: str
    def open(self, far: bool = False) -> None:
        \"\"\"Open it.\"\"\"
        self.x = 1
    @property
    def full(self) -> bool: return True
@dataclass(frozen=True)
class Row: a: int; b: str = ""
def run(a: int, b: str = "x", *rest: int, key: bool = True, **more: Any) -> list[int]:
    \"\"\"Run.\"\"\"
    return []
def run(a, b="x"): pass
async def later(x: int) -> None: ...
def _hidden() -> None: ...
if True:
    def inside() -> int: return 1
try:
    import x
except ImportError:
    x = None
Alias = list[int]
a, b = 1, 2
"""
FENCES = [
    "```",
    "````",
    "`````",
    "~~~",
    "```python",
    "````python fizz.py",
    "```python other.py",
    "````search fizz.py",
    "````search",
    "````replace fizz.py",
    "````replace",
    "```SEARCH",
    "```fizz.py",
    "```js",
    "```{.python}",
    "```python title=x",
    "  ```",
    "    ```",
    "\t```",
    "``` `x`",
    "```py a b.py",
    "```python ../x.py",
    "```python C:/x",
    "```python FIZZ.py",
    "> ```",
    "- ```",
    "\\```",
]
LINES = [*BASE.splitlines(), "", "text", "x = 1", "\r", "return 1", "    return 1\r", "é", "def one():", "```x```"]

WORDS = (
    "build check self show pending -m -o -j 3 --anew --check -q -v --format json --locked x.toml --attempts --dry-run"
).split()
VALUES = '"" 0 -1 1.5 true [] [1] {} "x" ["x"] 1e99 nan "/x"'.split()
SWAPS = [("int", "str"), ("name", "nane"), ("a", "b"), ("def", "async def"), (":", ""), ('"', "'")]

word = st.text(st.sampled_from("ab.Z_-/\\\"'`~ \t\n\r\x00\x7f\x85é\u2028ſ💥{}=#:*?|"), max_size=12)
some = st.one_of(
    word, st.text(max_size=8), st.sampled_from(["con", "aux.txt", "a/../b", "/x", "C:x", "a//b", ".", "..", "x.", "x "])
)
table = st.dictionaries(some, some, max_size=4)


@st.composite
def replies(draw: st.DrawFn) -> str:
    lines = draw(st.lists(st.one_of(st.sampled_from(FENCES), st.sampled_from(LINES), word), max_size=24))
    return "\n".join(lines) + draw(st.sampled_from(["", "\n", "\r\n"]))


@st.composite
def edits(draw: st.DrawFn) -> str:
    """Replies that are nearly right: whole blocks, one after the other."""
    blocks = []
    for _ in range(draw(st.integers(1, 5))):
        start, length = draw(st.integers(0, 8)), draw(st.integers(0, 4))
        body = BASE.splitlines()[start : start + length]
        if draw(st.integers(0, 4)) == 0:
            body = [*body, draw(st.sampled_from(LINES))]
        info = draw(
            st.sampled_from(
                ["search fizz.py", "search", "replace", "replace fizz.py", "python", "python fizz.py", "js"]
            )
        )
        fence = draw(st.sampled_from(["```", "````"]))
        blocks.append("\n".join([fence + info, *body, draw(st.sampled_from([fence, fence, fence, ""]))]))
    return "\n".join(blocks) + "\n"


@st.composite
def mixed(draw: st.DrawFn, text: str, noise: list[str]) -> str:
    """The text with lines left out, moved, doubled, cut or replaced."""
    lines = text.splitlines()
    kept = draw(st.sets(st.integers(0, len(lines) - 1), max_size=len(lines)))
    if draw(st.booleans()):
        kept = set(range(len(lines))) - set(list(kept)[: draw(st.integers(0, 2))])
    lines = [line for number, line in enumerate(lines) if number in kept]
    for _ in range(draw(st.integers(0, 3))):
        if not lines:
            break
        at = draw(st.integers(0, len(lines) - 1))
        what = draw(st.integers(0, 4))
        if what == 0:
            lines.insert(at, draw(st.sampled_from(noise)))
        elif what == 1:
            lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
        elif what == 2:
            lines.insert(at, lines[draw(st.integers(0, len(lines) - 1))])
        elif what == 3 and "=" in lines[at]:
            key = lines[at].partition("=")[0]
            lines[at] = f"{key}= {draw(st.sampled_from(VALUES))}"
        else:
            old, new = draw(st.sampled_from(SWAPS))
            lines[at] = lines[at].replace(old, new)
    return "\n".join(lines) + "\n"


TOML_NOISE = [
    "x = 1",
    "[tests]",
    "[[project]]",
    "name = 'again'",
    "[file.more]",
    "= 3",
    'k = """',
    "\ufeff",
    "[",
    "é = 1",
    "a.b.c = 1",
    "d = 2020-01-01",
    "[workspace]",
    'uses = ["other.toml", "used.toml", "fizz.toml"]',
    'context = ["../out.txt", "no.txt", "data.txt"]',
    'copy = ["data.txt", "sub/data.txt"]',
    'files = { "/c" = "y" }',
    'requirements = "Print fizz."',
    "[sandbox]",
]
CODE_NOISE = [
    "@overload",
    "class Box(int): ...",
    "def one() -> int: ...",
    "    x: int",
    "(",
    "del LIMIT",
    "LIMIT += 1",
    "for i in x: y = 1",
    "\tz = 1",
]
toml = mixed(SPEC, TOML_NOISE)
code = mixed(SOURCE, CODE_NOISE)

# The functions, by name; each a strategy for the JSON that `answer` is given in its name.
SUBJECTS: dict[str, st.SearchStrategy[Any]] = {
    "paths.problem": some,
    "paths.clashes": st.lists(some, max_size=6),
    "reply.read": st.one_of(replies(), edits()),
    "reply.read base": st.one_of(replies(), edits()),
    "reply.read_one": st.one_of(replies(), edits()),
    "toml.parse": st.one_of(toml, replies()),
    "spec.load": toml,
    "workspace.load": toml,
    "interface.differences": st.tuples(code, code),
    "interface.lost": st.tuples(code, code, some),
    "lock.string": st.tuples(some, st.booleans()),
    "lock.write": st.tuples(table, table, table, st.booleans()),
    "lock.read": st.tuples(table, table, st.integers(0, 400), some),
    "lock.changes": st.tuples(table, table),
    "prompt.difference": st.tuples(table, table),
    "prompt.fenced": st.tuples(replies(), some),
    "prompt.generate": st.tuples(toml, some),
    "direct": st.lists(st.one_of(replies(), edits()), min_size=1, max_size=4),
    "languages.find": some,
    "diagnostic": st.tuples(some, some, some, st.integers(0, 3), st.integers(1, 5), st.integers(0, 5), some, some),
    "arguments.parser": st.lists(st.one_of(some, st.sampled_from(WORDS)), max_size=6),
}


def plain(value: Any) -> Any:
    """As JSON: dataclasses and mappings as objects, other things by what they hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {repr(key) if not isinstance(key, str) else key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def below(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of all that is in a TOML value."""
    inside = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield (*path, key)
        yield from below(each, (*path, key))


def place(path: tuple[str | int, ...], places: Mapping[tuple[str | int, ...], Any]) -> Any:
    """The place of the path, else of the nearest one around it: a version may give either."""
    return next((places[path[:n]] for n in range(len(path), 0, -1) if path[:n] in places), None)


def answer(name: str, given: Any, folder: Path) -> Any:
    """What this version's function answers. folder: where files may lie for it."""
    from ai_coding import (
        arguments,
        diagnostic,
        interface,
        ir,
        languages,
        lock,
        paths,
        prompt,
        reply,
        spec,
        toml,
        workspace,
    )
    from ai_coding.strategies.direct import direct

    language = languages.table()["python"]
    base = ir.Program({"fizz.py": BASE}, "fizz.py")

    def load(text: str) -> Any:
        (folder / "fizz.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
        return spec.load(folder / "fizz.toml", "fizz.toml")

    if name == "paths.problem":
        return paths.problem(given)
    if name == "paths.clashes":
        return paths.clashes(given)
    if name == "reply.read":
        return reply.read(given, "fizz.py", language)
    if name == "reply.read base":
        return reply.read(given, "fizz.py", language, base)
    if name == "reply.read_one":
        return reply.read_one(given, "fizz.py", language, base)
    if name == "toml.parse":
        (folder / "t.toml").write_bytes(given.encode("utf-8", "surrogatepass"))
        values, places, found = toml.parse(folder / "t.toml", "t.toml")
        return values, {path: place(path, places) for path in below(values)}, found
    if name == "spec.load":
        return load(given)
    if name == "workspace.load":
        (folder / "w").mkdir(exist_ok=True)
        (folder / "w/fizz.toml").write_bytes(given.encode("utf-8", "surrogatepass"))
        (folder / "w/all.toml").write_text("[workspace]\nmembers = ['*.toml']\n")
        return workspace.load([folder / "w"])
    if name == "interface.differences":
        return interface.differences(given[0], ir.Program({"fizz.py": given[1]}, "fizz.py"))
    if name == "interface.lost":
        old, new = (ir.Program({"fizz.py": text}, "fizz.py") for text in given[:2])
        return interface.lost(old, new, given[2])
    if name == "lock.string":
        return lock.string(*given)
    if name == "lock.write":
        asked, judged, files, committed = given
        return lock.write(
            lock.Lock(asked, judged, ir.Program(files, "fizz.py"), 2, "m", 3, passed=tuple(asked)), committed
        )
    if name == "lock.read":
        asked, files, at, noise = given
        text = lock.write(lock.Lock(asked, {}, ir.Program({**files, "fizz.py": "x"}, "fizz.py")))
        (folder / "fizz.lock").write_text(text[:at] + noise + text[at:], "utf-8", "surrogatepass", newline="")
        return lock.read(folder / "fizz.lock")
    if name == "lock.changes":
        return lock.changes(*given)
    if name == "prompt.difference":
        return prompt.difference(*given)
    if name == "prompt.fenced":
        return prompt.fenced(*given)
    if name == "prompt.generate":
        loaded, _ = load(given[0])
        return loaded and (
            prompt.generate(loaded),
            prompt.generate(loaded, base, given[1]),
            prompt.repair(loaded, base, []),
        )
    if name == "direct":
        loaded, _ = load("[file]\nname = 'fizz'\nlanguage = 'python'\n[project]\nrequirements = 'x'\n")
        steps, said = direct(loaded), []
        step = next(steps)
        for text in given:
            said.append(plain(step))
            try:
                step = steps.send(text if isinstance(step, ir.Ask) else [diagnostic.error("x", "no", None)])
            except StopIteration as done:
                return said, done.value
        return said
    if name == "languages.find":
        return languages.find(given)
    if name == "diagnostic":
        code, message, file, line, column, length, text, help = given
        span = diagnostic.Span(file, line, column, length, text.replace("\n", "") if line else "")
        return str(diagnostic.error(code, message, span, help)), str(diagnostic.Diagnostic("note", code, message))
    assert name == "arguments.parser", name
    return dict(sorted(vars(arguments.parser().parse_args(given)).items()))


def worker() -> None:
    """Answer each line of standard input with one of standard output."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with tempfile.TemporaryDirectory() as private:
        folder = Path(private)
        (folder / "data.txt").write_text("data")
        used = "file = { name = 'used', language = 'python' }\nproject = { requirements = 'x', interface = 'y' }\n"
        (folder / "used.toml").write_text(used)
        os.chdir(folder)
        for line in sys.stdin:
            name, given = json.loads(line)
            try:
                found = plain(answer(name, given, folder))
            except SystemExit as problem:
                found = f"exits {problem.code}"
            except Exception as problem:
                found = f"raises {type(problem).__name__}"
            print(json.dumps(found).replace(private, "FOLDER"), file=out, flush=True)


def inputs(strategy: st.SearchStrategy[Any], number: int) -> Iterator[Any]:
    """So many inputs, the same each time."""
    found: list[Any] = []

    @settings(max_examples=number, database=None, derandomize=True, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(strategy)
    def gather(value: Any) -> None:
        found.append(value)

    gather()
    yield from found


def start(package: Path) -> subprocess.Popen[str]:
    """A process that answers with this version's functions."""
    env = {**os.environ, "PYTHONPATH": str(package)}
    command = [sys.executable, "-P", __file__, "--worker"]
    return subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("packages", nargs="+", type=Path)
    parser.add_argument("-n", type=int, default=1000)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    workers = [start(package.resolve()) for package in options.packages]
    total = 0
    for name, strategy in SUBJECTS.items():
        if options.only not in name:
            continue
        differ: list[tuple[str, list[str]]] = []
        kinds: set[str] = set()
        asked = 0
        for given_ in inputs(strategy, options.n):
            question = json.dumps([name, given_])
            answers = []
            for each in workers:
                assert each.stdin and each.stdout
                each.stdin.write(question + "\n")
                each.stdin.flush()
                answers.append(each.stdout.readline().rstrip("\n"))
            asked += 1
            kinds.add(answers[0])
            if len(set(answers)) > 1:
                differ.append((question, answers))
        total += len(differ)
        print(f"{name}: {len(differ)} of {asked} inputs, {len(kinds)} different answers", flush=True)
        if differ:
            question, answers = min(differ, key=lambda pair: len(pair[0]))
            print("   ", question)
            for package, text in zip(options.packages, answers, strict=True):
                print("   ", package.name, text)
    return 1 if total else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--worker"]:
        worker()
    else:
        raise SystemExit(main())
