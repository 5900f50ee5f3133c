"""ai_coding: a compiler whose source language is a requirement file and whose output is tested, locked programs."""

__version__ = "0.2.0"
