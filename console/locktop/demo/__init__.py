"""The demo: a store of its own, peopled, with client processes that behave as Longhorn's do."""
