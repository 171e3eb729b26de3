"""What the program was given, and nothing else: an address, a name to expect there, and a certificate."""

import os
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client
from temporalio.service import TLSConfig

from zlib_converter import data_converter


@dataclass(frozen=True)
class Settings:
    address: str
    namespace: str
    tls: TLSConfig | None
    """None: plain TCP, for trying the program against a bare server."""

    async def connect(self) -> Client:
        return await Client.connect(
            self.address,
            namespace=self.namespace,
            tls=self.tls or False,
            data_converter=data_converter(os.environ.get("CODEC")),
        )


def read_settings() -> Settings:
    """Raises ValueError that names the first variable that is missing."""
    certificate = os.environ.get("TEMPORAL_TLS_CERT")
    return Settings(
        address=required("TEMPORAL_ADDRESS"),
        namespace=required("TEMPORAL_NAMESPACE"),
        tls=TLSConfig(
            domain=required("TEMPORAL_TLS_SERVER_NAME"),
            server_root_ca_cert=Path(required("TEMPORAL_TLS_CA")).read_bytes(),
            client_cert=Path(certificate).read_bytes(),
            client_private_key=Path(required("TEMPORAL_TLS_KEY")).read_bytes(),
        )
        if certificate
        else None,
    )


def required(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise ValueError(f"set {name}")
    return value
