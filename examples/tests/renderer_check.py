"""Checks the renderer of askllmpy on single lines."""

from askllmpy import Renderer

BOLD, ITALIC, CODE, END = "\x1b[1m", "\x1b[3m", "\x1b[36m", "\x1b[0m"
renderer = Renderer()
heading = renderer.line("## Part two")
assert heading is not None and heading.startswith(BOLD) and "Part two" in heading and heading.endswith(END), heading
both = renderer.line("***both***")
assert both is not None and "both" in both and BOLD in both and ITALIC in both and "*" not in both, both
assert renderer.line("* star") == "• star"
assert renderer.line("plain text") == "plain text"
assert renderer.line("~~~~") is None
assert renderer.line("```") == f"{CODE}```{END}", "a fence of another kind is code here"
assert renderer.line("~~~~") is None
assert renderer.line("after") == "after"
print("ok")
