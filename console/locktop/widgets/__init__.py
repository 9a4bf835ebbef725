"""Widgets: each paints lines from values it is given and keeps no second truth."""
