"""Azurite, Microsoft's emulator of Azure storage, on a free port, with everything in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from azure.storage.blob import ContainerClient

from backuplock.clock import Clock
from backuplock.stores.azblob import AzureStore
from backuplock.target import parse_target
from harness.process import Process, executable
from harness.tls import Tls

ACCOUNT = "devstoreaccount1"
# Published with Azurite: every installation has it.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
CONTAINER = "backups"


@dataclass(frozen=True)
class AzureServer:
    """A running server; `endpoint` is its URL, without the account, `ca_pem` its authority for https.

    `process` is None for what stands in front of one.
    """

    endpoint: str
    process: Process | None = None
    ca_pem: str = ""

    def environ(self, **changes: str | None) -> dict[str, str]:
        """Longhorn's variables for it; `None` leaves one out."""
        found: dict[str, str | None] = {
            "AZBLOB_ACCOUNT_NAME": ACCOUNT,
            "AZBLOB_ACCOUNT_KEY": KEY,
            "AZBLOB_ENDPOINT": self.endpoint,
            "AZBLOB_CERT": self.ca_pem or None,
            **changes,
        }
        return {name: value for name, value in found.items() if value is not None}

    def url(self, prefix: str, *, container: str = CONTAINER) -> str:
        """A target URL below its container."""
        return f"azblob://{container}@core.windows.net/{prefix}/"

    def store(
        self,
        prefix: str,
        *,
        writable: bool = True,
        container: str = CONTAINER,
        clock: Clock | None = None,
        **changes: str | None,
    ) -> AzureStore:
        """A store on it, opened the way a user's would be; `changes` are made to the environment."""
        target = parse_target(self.url(prefix, container=container))
        return AzureStore.open(target, writable=writable, environ=self.environ(**changes), clock=clock)


def missing_program() -> str:
    """Why Azurite cannot be started, "" if it can."""
    if executable("azurite-blob") is None:
        return "Azurite is not installed (npm install azurite, its .bin in PATH); CI installs it where npm is"
    return ""


def start_azurite(log: Path, *, tls: Tls | None = None) -> AzureServer:
    """Start it and make `CONTAINER`."""
    program = executable("azurite-blob")
    if program is None:
        raise RuntimeError(missing_program())
    command = [program, "--inMemoryPersistence", "--blobHost", "127.0.0.1", "--blobPort", "0"]
    secured = ["--cert", str(tls.cert), "--key", str(tls.key)] if tls is not None else []
    process = Process([*command, "--skipApiVersionCheck", "--disableTelemetry", *secured], log)
    endpoint = process.wait_for(r"successfully listens on (https?://127\.0\.0\.1:\d+)")[1]
    server = AzureServer(endpoint, process, tls.ca_pem if tls is not None else "")
    credential = {"account_name": ACCOUNT, "account_key": KEY}
    # The way to a container of the tests' own is not what is tested.
    trusted = log.with_suffix(".pem")
    trusted.write_text(server.ca_pem)
    verify: bool | str = str(trusted) if tls is not None else True
    with ContainerClient(
        f"{endpoint}/{ACCOUNT}", CONTAINER, credential=credential, connection_verify=verify
    ) as client:
        client.create_container()
    return server
