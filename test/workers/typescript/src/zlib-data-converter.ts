/** A codec that changes every payload and hides every failure's words, as encrypting or compressing ones do. */
import { fileURLToPath } from 'node:url';
import { deflateSync, inflateSync } from 'node:zlib';
import type { DataConverter } from '@temporalio/client';
import type { Payload, PayloadCodec } from '@temporalio/common';
import api from '@temporalio/proto';

const proto = api.temporal.api.common.v1.Payload;
const ENCODING = 'binary/zlib';

const zlibCodec: PayloadCodec = {
  async encode(payloads) {
    return payloads.map((payload) => ({
      metadata: { encoding: Buffer.from(ENCODING) },
      data: deflateSync(proto.encode(payload).finish()),
    }));
  },
  async decode(payloads) {
    return payloads.map(decodeOne);
  },
};

function decodeOne(payload: Payload): Payload {
  const { encoding } = payload.metadata ?? {};
  if (!encoding || !payload.data || Buffer.from(encoding).toString() !== ENCODING) return payload;
  return proto.decode(inflateSync(payload.data));
}

export default {
  payloadCodecs: [zlibCodec],
  failureConverterPath: fileURLToPath(new URL('./failure-converter.ts', import.meta.url)),
} satisfies DataConverter;
