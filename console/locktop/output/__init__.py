"""Snapshots as tables, JSON and CSV, for the command line and for export."""
