"""Screens: one a view. They turn the app's status into what their widgets show."""
