"""Longhorn's backup store locks for Python: see them, judge them, take part in them."""

__version__ = "0.1.0"
