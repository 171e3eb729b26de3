import { messageOf, sampleMessages } from '#testing/fuzz/sample-messages';
import { askScanner, checkInProcess } from '#testing/proto/scan-target';

/** What the scanner accepts, a full decoder reads in the same way, and so what is sent on (T-033 to T-035). */
export function fuzz(bytes: Buffer): void {
  if (bytes.length < 2) return;
  const { method, direction } = messageOf(bytes.readUInt16BE(0));
  const input = { path: method.path, direction, bytes: bytes.subarray(2) };
  const scanned = askScanner(input);
  if (typeof scanned === 'string') return;
  const fault = checkInProcess(input, scanned);
  if (fault !== undefined) throw new Error(fault);
}

export const protobufFrom = 2;

export function* seeds(): Generator<Uint8Array> {
  for (const direction of ['request', 'response'] as const)
    for (const { number, bytes } of sampleMessages(direction)) yield Buffer.concat([number, bytes]);
}
