"""A codec that changes every payload and hides every failure's words, as encrypting or compressing ones do."""

import zlib
from collections.abc import Sequence

import temporalio.converter
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
)

ENCODING = b"binary/zlib"


class ZlibCodec(PayloadCodec):
    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            Payload(
                metadata={"encoding": ENCODING},
                data=zlib.compress(it.SerializeToString(deterministic=True)),
            )
            for it in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            Payload.FromString(zlib.decompress(it.data))
            if it.metadata.get("encoding") == ENCODING
            else it
            for it in payloads
        ]


def data_converter(codec: str | None) -> DataConverter:
    if codec != "zlib":
        return temporalio.converter.default()
    return DataConverter(
        payload_codec=ZlibCodec(),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
