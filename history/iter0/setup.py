"""Packaging: metadata and dependencies. pyproject.toml holds the settings of tools."""

import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "ai_coding/__init__.py").read_text("utf-8"))
assert VERSION

setup(
    name="ai_coding",
    version=VERSION[1],
    description="A compiler whose source language is a requirement file",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=["ai_coding", "ai_coding.backends", "ai_coding.critics", "ai_coding.strategies"],
    package_data={"ai_coding": ["languages.toml", "prompts/*.j2", "iteration.txt", "py.typed"]},
    entry_points={"console_scripts": ["ai_coding = ai_coding.cli:main"]},
    install_requires=[
        "openai>=3.50,<4",
        "groq>=1.4,<2",
        "tomlkit>=0.15,<0.16",
        "jinja2>=3.1",
        "flake8>=7",
        "rich>=13",
        "platformdirs>=4",
        "filelock>=3.12",
    ],
    extras_require={
        "test": ["pytest>=8", "hypothesis>=6", "mypy>=1.10", "xllamacpp", "gguf", "numpy"],
    },
)
