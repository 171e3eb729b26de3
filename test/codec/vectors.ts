import { fileURLToPath } from 'node:url';

export const vectorsFile = fileURLToPath(
  new URL('../../packages/codec/vectors/encryption.json', import.meta.url),
);

const base64 = (value: string | Uint8Array): string => Buffer.from(value).toString('base64');

/** Of nobody. The first is that of the SDKs' samples, byte for byte. */
export const keyLines: readonly string[] = [
  `test-key-id ${base64('test-key-test-key-test-key-test!')}`,
  `2026-11 ${base64(Uint8Array.from({ length: 32 }, (_, index) => index * 7 + 1))}`,
];

/** `Payload`s in protobuf's JSON: every form that the SDKs' converters make, and the edges of the message. */
export const vectorPayloads: readonly Readonly<Record<string, unknown>>[] = [
  { metadata: { encoding: base64('json/plain') }, data: base64('"Grüße, 世界 🌍"') },
  { metadata: { encoding: base64('binary/null') } },
  {
    metadata: { encoding: base64('binary/plain') },
    data: base64(Uint8Array.from({ length: 256 }, (_, byte) => byte)),
  },
  {
    metadata: {
      encoding: base64('json/protobuf'),
      messageType: base64('temporal.api.common.v1.WorkflowType'),
    },
    data: base64('{"name":"echo"}'),
  },
  {
    metadata: { encoding: base64('json/plain'), type: base64('Keyword'), '': base64('') },
    data: base64('""'),
  },
  {},
  { data: base64('no metadata') },
  {
    metadata: { encoding: base64('binary/encrypted'), 'encryption-key-id': base64('nested') },
    data: base64('inner'),
  },
  {
    metadata: { encoding: base64('json/plain') },
    data: base64('[]'),
    externalPayloads: [{ sizeBytes: '5000000000' }],
  },
  { metadata: { encoding: base64('json/plain') }, data: base64(JSON.stringify('long '.repeat(400))) },
];
