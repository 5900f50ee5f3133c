"""Packaging: metadata and dependencies, given to setuptools.setup."""

import os
import re
from pathlib import Path

from setuptools import setup  # type: ignore[import-untyped, unused-ignore]

_HERE = Path(__file__).resolve().parent
_VERSION = re.compile(r"""^__version__[^=\n]*= *["']([^"'\s]+)["']""", re.MULTILINE)


def _version(path: Path) -> str:
    """The version this file's text states; SystemExit if it states none."""
    found = _VERSION.search(path.read_text(encoding="utf-8"))
    if found is None:
        raise SystemExit(f'{path}: no version found; add a line like __version__ = "1.0.0"')
    return found[1]


if __name__ == "__main__":
    version = _version(_HERE / "ai_coding" / "__init__.py")
    long_description = (_HERE / "README.md").read_text(encoding="utf-8")
    # setuptools looks for packages and pyproject.toml in the current folder.
    os.chdir(_HERE)
    setup(
        name="ai_coding",
        version=version,
        license="MIT",
        description="A compiler whose source language is a requirement file",
        long_description=long_description,
        long_description_content_type="text/markdown",
        python_requires=">=3.11",
        packages=[
            "ai_coding",
            "ai_coding.backends",
            "ai_coding.critics",
            "ai_coding.strategies",
        ],
        package_data={
            "ai_coding": [
                "languages.toml",
                "keys.toml",
                "providers.toml",
                "explanations.md",
                "starter.j2",
                "prompts/*.j2",
                "iteration.txt",
                "py.typed",
            ],
        },
        entry_points={"console_scripts": ["ai_coding=ai_coding.cli:main"]},
        install_requires=[
            "openai>=3.50,<4",
            "groq>=1.4,<2",
            "tomlkit>=0.15,<0.16",
            "jinja2>=3.1",
            "flake8>=7",
            "rich>=13",
            "platformdirs>=4",
            "filelock>=3.12",
            "genai-prices>=0.2",
            "shtab>=1.9",
        ],
        extras_require={
            "local": ["xllamacpp>=2026.10"],
            "test": [
                "pytest>=8",
                "hypothesis>=6",
                "mypy>=1.10",
                "xllamacpp>=2026.10",
                "gguf",
                "numpy",
                "fastjsonschema>=2.16",
            ],
        },
    )
