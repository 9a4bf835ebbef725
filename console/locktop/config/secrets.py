"""What looks like a credential: it never stands in the settings file, and no message repeats it."""

from __future__ import annotations

import re

_NAMES = re.compile(
    r"secret|passw|passphrase|credential|token|^(?:pw|pwd|sas)$"
    r"|(?:access|api|account|private|session)[-_. ]?key",
    re.IGNORECASE,
)
# AWS: the forms of access key ids and of secret access keys (IAM User Guide, "IAM identifiers").
_VALUES = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{12,}"
    r"|(?<![A-Za-z0-9/+])(?=[a-z/+0-9]*[A-Z])(?=[A-Z/+0-9]*[a-z])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
    r"|[A-Za-z0-9+/]{60,}={1,2}"
    r"|-----BEGIN "
)
_IN_URL = re.compile(r"://[^/?#\s]*:[^/?#\s]*@|[?&,](?:pass|password|sig|token)[^=&]*=", re.IGNORECASE)


def names_secret(key: str) -> bool:
    """Whether a key is the name of a credential."""
    return _NAMES.search(key) is not None or holds_secret(key)


def holds_secret(text: str) -> bool:
    """Whether a text looks as if a credential stood in it."""
    return _VALUES.search(text) is not None or _IN_URL.search(text) is not None
