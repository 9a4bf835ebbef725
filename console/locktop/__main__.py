"""`locktop`, and `python -m locktop`."""

from __future__ import annotations

import sys

from locktop import __version__


def main() -> int:
    """Run the command line; the version is told without reading the rest of the program."""
    if sys.argv[1:] == ["--version"]:
        try:
            sys.stdout.write(f"locktop {__version__}\n")
            sys.stdout.flush()
            return 0
        except OSError:
            pass  # The command line tells it, and exits as it should.
    from locktop.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
