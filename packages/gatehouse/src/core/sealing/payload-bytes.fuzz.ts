import { fromBinary } from '@bufbuild/protobuf';
import { messageType } from '#base/proto/api-registry';
import { MessageScanner } from '#base/proto/scan-message';
import { requestTables } from '#base/proto/wire-tables';
import { requestTable } from '#testing/fuzz/request-table';
import { readPayload, withData } from './payload-bytes.ts';

interface PayloadMessage {
  readonly metadata: Readonly<Record<string, Uint8Array>>;
  readonly data: Uint8Array;
  readonly externalPayloads: readonly unknown[];
}

const TYPE = 'temporal.api.common.v1.Payload';
const type = messageType(TYPE);
const scanner = new MessageScanner(requestTables, { reply: false });
const table = requestTable(TYPE);

/** Of what it reads, a decoder sees the same keys, the same encoding and the same data; and so after a change. */
export function fuzz(bytes: Buffer): void {
  const read = readPayload(bytes);
  // The decoder is not exact about what the scanner refuses.
  if (!scanner.scan(table, bytes)) return;
  const decoded = decode(bytes);
  if (read === undefined || decoded === undefined) throw new Error('what the scanner accepts is not read');
  const encoding = decoded.metadata['encoding'];
  const isSame =
    read.encoding === (encoding === undefined ? undefined : Buffer.from(encoding).toString('latin1')) &&
    Buffer.from(read.data).equals(decoded.data) &&
    read.external.length === decoded.externalPayloads.length &&
    [...new Set(read.metadataKeys)].sort().join('\0') === Object.keys(decoded.metadata).sort().join('\0');
  if (!isSame) throw new Error('a decoder reads another payload');
  const changed = decode(withData(read, Buffer.from('changed')));
  if (changed === undefined || Buffer.from(changed.data).toString() !== 'changed')
    throw new Error('other data');
  if (Object.keys(changed.metadata).length !== Object.keys(decoded.metadata).length)
    throw new Error('other metadata');
}

function decode(bytes: Uint8Array): PayloadMessage | undefined {
  try {
    return fromBinary(type, bytes) as unknown as PayloadMessage;
  } catch {
    return undefined;
  }
}

export const protobufFrom = 0;

export function seeds(): string[] {
  const plain = '\x0a\x16\x0a\x08encoding\x12\x0ajson/plain';
  return [
    `${plain}\x12\x03"x"`,
    `\x12\x03"x"${plain}`,
    `${plain}${plain}\x1a\x02\x08\x05`,
    '\x0a\x00\x12\x00',
  ];
}
