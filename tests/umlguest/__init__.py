"""What runs inside user-mode-linux: real servers, real kernel mounts, and the scenes played there."""
