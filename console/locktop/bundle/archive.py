"""Members as one zip: the same members give the same bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

from locktop.bundle.members import Member

_WHEN = (1980, 1, 1, 0, 0, 0)
"""The first instant that a zip can hold; when the store was looked at stands in the members."""


def zipped(members: Sequence[Member]) -> bytes:
    """The zip, in memory: what is written is written whole."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            info = zipfile.ZipInfo(member.name, _WHEN)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            archive.writestr(info, member.content)
    return out.getvalue()
