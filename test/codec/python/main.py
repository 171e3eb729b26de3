"""Encodes or decodes payloads as the Python SDK's encryption sample does."""

import asyncio
import base64
import os
import sys
from collections.abc import Iterable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf import json_format
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import PayloadCodec

NONCE_BYTES = 12


class Encryption(PayloadCodec):
    def __init__(self, lines: str) -> None:
        self.boxes: dict[str, AESGCM] = {}
        for line in lines.split(";"):
            self.newest, key = line.split()
            self.boxes[self.newest] = AESGCM(base64.b64decode(key))

    async def encode(self, payloads: Iterable[Payload]) -> list[Payload]:
        return [self.seal(payload.SerializeToString()) for payload in payloads]

    async def decode(self, payloads: Iterable[Payload]) -> list[Payload]:
        return [self.open(payload) for payload in payloads]

    def seal(self, plain: bytes) -> Payload:
        nonce = os.urandom(NONCE_BYTES)
        return Payload(
            metadata={"encoding": b"binary/encrypted", "encryption-key-id": self.newest.encode()},
            data=nonce + self.boxes[self.newest].encrypt(nonce, plain, None),
        )

    def open(self, payload: Payload) -> Payload:
        # Not `metadata[...]`: that would add the key to a payload that has none.
        if payload.metadata.get("encoding") != b"binary/encrypted":
            return payload
        box = self.boxes[payload.metadata["encryption-key-id"].decode()]
        nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        return Payload.FromString(box.decrypt(nonce, sealed, None))


async def main() -> None:
    codec = Encryption(os.environ["CODEC_KEYS"])
    message = json_format.Parse(sys.stdin.read(), Payloads())
    work = codec.encode if sys.argv[1] == "encode" else codec.decode
    print(json_format.MessageToJson(Payloads(payloads=await work(message.payloads)), indent=None))


asyncio.run(main())
