"""`python -m ai_coding` is the same as the command `ai_coding`."""

from ai_coding.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
