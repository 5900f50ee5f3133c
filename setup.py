"""Packaging: the metadata and dependencies of ai_coding, given to setuptools.setup."""

import ast
import os
from pathlib import Path

# Whether mypy minds that setuptools has no types depends on its settings and on installed stubs.
from setuptools import setup  # type: ignore[import-untyped, unused-ignore]

_HERE = Path(__file__).resolve().parent

_NEEDS = [
    "openai>=3.50,<4",
    "groq>=1.4,<2",
    "tomlkit>=0.15,<0.16",
    "jinja2>=3.1",
    "flake8>=7",
    "rich>=13",
    "platformdirs>=4",
    "filelock>=3.12",
]

_TEST_NEEDS = [
    "pytest>=8",
    "hypothesis>=6",
    "mypy>=1.10",
    "xllamacpp",
    "gguf",
    "numpy",
]


def _version(source: bytes) -> str:
    """The string that this module's text assigns to __version__; SystemExit if there is none."""
    for node in ast.parse(source).body:
        match node:
            case (
                ast.Assign(
                    targets=[ast.Name(id="__version__")],
                    value=ast.Constant(value=str(version)),
                )
                | ast.AnnAssign(
                    target=ast.Name(id="__version__"),
                    value=ast.Constant(value=str(version)),
                )
            ) if version:
                return version
    raise SystemExit("setup.py: ai_coding/__init__.py assigns no string to __version__")


if __name__ == "__main__":
    # setuptools looks for packages and for pyproject.toml in the current folder.
    os.chdir(_HERE)
    setup(
        name="ai_coding",
        # Importing the package would need its dependencies, which are not installed yet.
        version=_version((_HERE / "ai_coding" / "__init__.py").read_bytes()),
        description="A compiler whose source language is a requirement file",
        long_description=(_HERE / "README.md").read_text(encoding="utf-8"),
        long_description_content_type="text/markdown",
        license="MIT",
        python_requires=">=3.11",
        packages=[
            "ai_coding",
            "ai_coding.backends",
            "ai_coding.critics",
            "ai_coding.strategies",
        ],
        package_data={
            "ai_coding": ["languages.toml", "prompts/*.j2", "iteration.txt", "py.typed"],
        },
        entry_points={"console_scripts": ["ai_coding = ai_coding.cli:main"]},
        install_requires=_NEEDS,
        extras_require={"test": _TEST_NEEDS},
    )
