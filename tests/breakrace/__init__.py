"""Breaks against holders that refresh, in any number of rounds."""
