"""`python -m ai_coding` is the same as `ai_coding`."""

from ai_coding.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
