"""The application: a live console, a command line and a demo for the locks of Longhorn backup stores."""

from backuplock import __version__

__all__ = ["__version__"]
