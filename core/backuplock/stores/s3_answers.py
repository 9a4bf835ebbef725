"""Bodies and headers of S3's answers to LIST and GET -> what boto3 makes of them, as far as it is used."""

from __future__ import annotations

import functools
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from botocore.response import StreamingBody
from botocore.utils import parse_timestamp

if TYPE_CHECKING:
    import urllib3

_URL_ENCODED = ("Key", "Prefix")


def is_error(body: bytes) -> bool:
    """Whether a body that came with 200 is an error all the same."""
    return b"<Error" in body[:_HEAD] and b"<ListBucketResult" not in body[:_HEAD]


_HEAD = 400


def metadata(reply: urllib3.BaseHTTPResponse) -> dict[str, Any]:
    """Status and headers, as each of boto3's replies has them."""
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return {"ResponseMetadata": {"HTTPStatusCode": reply.status, "HTTPHeaders": headers}}


def opened(reply: urllib3.BaseHTTPResponse) -> dict[str, Any]:
    """An object whose body is still to be read.

    Raises:
        ValueError: a length or a time is none.
    """
    headers = reply.headers
    raw: Any = reply
    length: Any = headers.get("Content-Length")
    found: dict[str, Any] = {"Body": StreamingBody(raw, length)}
    if "Content-Length" in headers:
        found["ContentLength"] = int(headers["Content-Length"])
    if "Last-Modified" in headers:
        found["LastModified"] = _http_time(headers["Last-Modified"])
    if "ETag" in headers:
        found["ETag"] = headers["ETag"]
    if "x-amz-version-id" in headers:
        found["VersionId"] = headers["x-amz-version-id"]
    return found


def listing(body: bytes) -> dict[str, Any]:
    """The parts of a ListBucketResult that are used, named and typed as boto3 does it.

    Raises:
        ElementTree.ParseError: it is not XML, or not all of it.
        ValueError: a time is none.
    """
    if not body:
        return {}
    # Entities are neither fetched nor, beyond expat's own limits, expanded.
    root = ElementTree.fromstring(body)  # noqa: S314
    contents: list[dict[str, Any]] = []
    prefixes: list[dict[str, Any]] = []
    found: dict[str, Any] = {"Contents": contents, "CommonPrefixes": prefixes}
    for element in root:
        name = _bare(element.tag)
        if name == "Contents":
            contents.append(_fields(element))
        elif name == "CommonPrefixes":
            prefixes.append(_fields(element))
        elif name in _PLAIN:
            found[name] = element.text or ""
    if "IsTruncated" in found:
        found["IsTruncated"] = found["IsTruncated"].lower() == "true"
    if found.get("EncodingType") == "url":
        for item in (*contents, *prefixes):
            for name in _URL_ENCODED:
                if "%" in item.get(name, "") or "+" in item.get(name, ""):
                    item[name] = unquote_plus(item[name])
    return found


_PLAIN = frozenset({"Name", "IsTruncated", "NextContinuationToken", "EncodingType"})


def _fields(element: ElementTree.Element) -> dict[str, Any]:
    found: dict[str, Any] = {_bare(part.tag): part.text or "" for part in element}
    if "LastModified" in found:
        found["LastModified"] = _xml_time(found["LastModified"])
    return found


@functools.lru_cache(maxsize=256)
def _bare(tag: str) -> str:
    return tag.rpartition("}")[2]


def _xml_time(text: str) -> datetime:
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        return parse_timestamp(text)
    return told if told.tzinfo is not None else told.replace(tzinfo=UTC)


def _http_time(text: str) -> datetime:
    try:
        told = parsedate_to_datetime(text)
    except ValueError:
        return parse_timestamp(text)
    return told if told.tzinfo is not None else told.replace(tzinfo=UTC)
