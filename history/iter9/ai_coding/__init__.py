"""ai_coding: a compiler whose source language is a requirement file."""

__version__ = "0.2.0"
