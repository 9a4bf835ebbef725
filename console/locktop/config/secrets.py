"""What looks like a credential: it never stands in the settings file, and no message repeats it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

MARK = "[secret]"

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


_PEM = re.compile(r"-----BEGIN [^-]*PRIVATE KEY-----.*?(?:-----END [^-]*-----|\Z)", re.DOTALL)
_URL_SECRET = re.compile(r"(://)[^/?#\s\"]*:[^/?#\s\"]*(?=@)")
_SHORTEST = 6
"""Characters from which a value of the environment is searched for; shorter ones stand in every text."""


class Secrets:
    """Takes out of texts what may not leave this machine: secrets of the environment, and whatever has the
    form of one."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        found = {value for name, value in environ.items() if names_secret(name) and len(value) >= _SHORTEST}
        # As they stand in JSON, too.
        found |= {json.dumps(value)[1:-1] for value in found}
        self._known = sorted((value.encode("utf-8", "surrogateescape") for value in found), key=len)[::-1]

    def without(self, content: bytes) -> bytes:
        """The content with `[secret]` in place of each."""
        for value in self._known:
            content = content.replace(value, MARK.encode())
        text = content.decode("latin-1")
        for pattern, instead in ((_PEM, MARK), (_VALUES, MARK), (_URL_SECRET, rf"\1{MARK}")):
            text = pattern.sub(instead, text)
        return text.encode("latin-1")
