"""Which proxy a host is reached by: the rules of Go's net/http, which Longhorn follows.

They differ from Python's: loopback is never proxied, networks may be named, capital letters come first.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def proxy_for(url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy that HTTPS_PROXY or HTTP_PROXY names for a URL, unless NO_PROXY excepts its host."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    name = f"{parts.scheme.upper()}_PROXY"
    proxy = (environ.get(name) or environ.get(name.lower()) or "").strip()
    excepted = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    return proxy if proxy and not goes_direct(parts.hostname or "", port, excepted) else None


def goes_direct(host: str, port: int, no_proxy: str) -> bool:
    """Whether a host is reached without a proxy: loopback always, others if NO_PROXY names `*`, the host,
    a domain above it, its address or its network; `:port` after a name restricts it to that port."""
    host = host.lower().rstrip(".")
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(_names(rule.strip().lower(), host, port, address) for rule in no_proxy.split(","))


def _names(rule: str, host: str, port: int, address: _Address | None) -> bool:
    if rule == "*":
        return True
    if address is not None and "/" in rule:
        try:
            return address in ipaddress.ip_network(rule, strict=False)
        except ValueError:
            return False
    if address is None or rule.count(":") == 1 or rule.startswith("["):
        head, colon, tail = rule.rpartition(":")
        if colon and tail.isdigit():
            if int(tail) != port:
                return False
            rule = head
    rule = rule.strip("[]").removeprefix("*")
    if not rule:
        return False
    if address is not None:
        return _address(rule) == address
    return host.endswith(rule) if rule.startswith(".") else host == rule or host.endswith(f".{rule}")


def _address(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
