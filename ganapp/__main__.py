"""`python -m ganapp COMMAND`."""

import sys

from ganapp.cli import main

if __name__ == "__main__":
    sys.exit(main())
