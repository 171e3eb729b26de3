import type { AuditEvent } from '#base/model/audit-event';
import { ByteSource } from '#testing/fuzz/byte-source';
import { createRecordReader, recordJson } from './audit-record.ts';
import { eventBody, GENESIS_HASH, LINE_BYTES_MAX, readLine, sealLine } from './chain.ts';
import { inTheOpen } from './event-parts.ts';
import { asciiJson, TEXT_LENGTH_MAX } from './quoted-text.ts';

const reader = createRecordReader();
const PRINTABLE = /^[ -~]*$/;

/** Whatever stands in an event, its line is one of printable ASCII that reads again; any other text is no line of ours. */
export function fuzz(bytes: Buffer): void {
  const source = new ByteSource(bytes);
  const isUtf16 = source.flag();
  const text = (): string => source.piece().toString(isUtf16 ? 'utf16le' : 'utf8');
  const [time, duration] = [source.number(), source.number() - 1000];
  const event: AuditEvent = {
    kind: 'call',
    timeMs: time,
    requestId: text(),
    connectionId: text(),
    principal: text(),
    credential: text(),
    namespace: text(),
    method: text(),
    outcome: 'ok',
    status: source.byte(),
    reason: text(),
    severity: 'low',
    peer: text(),
    endpoint: text(),
    durationMs: duration / (source.byte() || Number.NaN),
    count: 1,
    detail: text().repeat(1 + source.byte()),
  };
  const { line } = sealLine(eventBody({ seq: time, hash: GENESIS_HASH }, event, time, inTheOpen));
  checkLine(line, event);
  read(source.rest().toString('latin1'));
}

function checkLine(line: string, event: AuditEvent): void {
  if (!line.endsWith('\n') || !PRINTABLE.test(line.slice(0, -1))) throw new Error('not one printable line');
  if (line.length > LINE_BYTES_MAX) throw new Error(`a line of ${line.length} bytes`);
  const record = reader.read(line.slice(0, -1));
  if (record === undefined) throw new Error('a line of ours does not read');
  for (const field of ['namespace', 'detail', 'principal'] as const) {
    const [written, given] = [record[field], event[field]];
    const isKept =
      given.length <= TEXT_LENGTH_MAX
        ? written === given
        : written.startsWith(given.slice(0, TEXT_LENGTH_MAX));
    if (!isKept) throw new Error(`${field} reads as ${JSON.stringify(written)}`);
  }
  if (!PRINTABLE.test(recordJson(record))) throw new Error('a record that is not safe to show');
}

/** A stranger's line, and one with a right hash, which anybody can write. */
function read(text: string): void {
  const whole = readLine(text);
  if (whole !== undefined && sealLine(text.slice(0, text.lastIndexOf(',"hash":"'))).line !== `${text}\n`)
    throw new Error('two lines with one hash');
  reader.read(text);
  const { line } = sealLine(text);
  const record = reader.read(line.slice(0, -1));
  if (record !== undefined && !PRINTABLE.test(recordJson(record)))
    throw new Error('a record that is not safe to show');
  if (!PRINTABLE.test(asciiJson(text))) throw new Error('a text that is not safe to show');
}

export function* seeds(): Generator<string> {
  const head = '\0\0\x05\0\x08\x01r\x01c\x01p\x01d\x01n\x01m\0\x01x\x01y\x01z\x02\x01w\x01';
  yield `${head}`;
  yield `${head}{"seq":0,"prev":"${GENESIS_HASH}","kind":"call","peer":"~AAAA"`;
  yield `${head}{"seq":0,"prev":"${GENESIS_HASH}","kind":"header","format":2,"chain":"c"`;
  yield `${head}{"seq":0,"prev":"${GENESIS_HASH}","kind":"call",no JSON`;
}
