"""`python -m ai_coding` is the same as the command `ai_coding`."""

import sys

from ai_coding.cli import main

if __name__ == "__main__":
    sys.exit(main())
