"""Real servers and faults for the tests; everything listens on loopback and is stopped by its own pid."""
