"""Packaging: metadata and dependencies, given to setuptools.setup."""

import ast
from contextlib import chdir
from pathlib import Path

from setuptools import setup  # type: ignore[import, unused-ignore]

_REQUIRES = [
    "openai>=3.50,<4",
    "groq>=1.4,<2",
    "tomlkit>=0.15,<0.16",
    "jinja2>=3.1",
    "flake8>=7",
    "rich>=13",
    "platformdirs>=4",
    "filelock>=3.12",
]
_TEST_REQUIRES = ["pytest>=8", "hypothesis>=6", "mypy>=1.10", "xllamacpp", "gguf", "numpy"]


def _version(path: Path) -> str:
    """The text that the module at `path` gives to `__version__`; SystemExit if there is none."""
    # Importing the package would need its dependencies, which are not installed yet.
    for node in ast.parse(path.read_bytes(), filename=str(path)).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__version__")], value=ast.Constant(value=str(version))) if version:
                return version
            case ast.AnnAssign(target=ast.Name(id="__version__"), value=ast.Constant(value=str(version))) if version:
                return version
    raise SystemExit(f'{path}: no version found; add a line like __version__ = "1.2.3"')


def _main() -> None:
    """Give everything to setuptools; SystemExit if the package has no version, OSError if a file cannot be read."""
    here = Path(__file__).resolve().parent
    version = _version(here / "ai_coding" / "__init__.py")
    long_description = (here / "README.md").read_text(encoding="utf-8")
    # setuptools looks for the packages and for pyproject.toml in the current folder.
    with chdir(here):
        setup(
            name="ai_coding",
            version=version,
            license="MIT",
            description="A compiler whose source language is a requirement file",
            long_description=long_description,
            long_description_content_type="text/markdown",
            python_requires=">=3.11",
            packages=["ai_coding", "ai_coding.backends", "ai_coding.critics", "ai_coding.strategies"],
            package_data={"ai_coding": ["languages.toml", "prompts/*.j2", "iteration.txt", "py.typed"]},
            entry_points={"console_scripts": ["ai_coding = ai_coding.cli:main"]},
            install_requires=_REQUIRES,
            extras_require={"test": _TEST_REQUIRES},
        )


# Build front ends run this file under the name __main__ too.
if __name__ == "__main__":
    _main()
