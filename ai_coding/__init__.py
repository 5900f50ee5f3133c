"""ai_coding: a compiler whose source language is a requirement file."""

__version__ = "0.1.0"
ITERATION = 0
