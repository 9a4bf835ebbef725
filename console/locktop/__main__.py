"""`python -m locktop`."""

import sys

from locktop.cli import main

if __name__ == "__main__":
    sys.exit(main())
