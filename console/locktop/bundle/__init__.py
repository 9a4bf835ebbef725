"""The evidence bundle: what a maintainer would ask for by hand, in one zip."""
