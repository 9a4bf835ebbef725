"""The settings file: where it is, what may stand in it, and where in it each value stands."""
