import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ByteSource } from '#testing/fuzz/byte-source';
import { createRecordReader } from './audit-record.ts';
import { createAuditSigningKey } from './audit-signing-key.ts';
import { type ChainHead, type ChainLine, GENESIS_HASH, sealLine } from './chain.ts';
import { checkpointLine, checkpointMessage, headerLine } from './marker-lines.ts';
import { searchRecords } from './search.ts';
import { segmentPath } from './segment-files.ts';
import { verifyChain } from './verify.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-verify-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
// Of this run alone: no input holds a signature that fits another's words.
const key = createAuditSigningKey();
const CHAIN = 'chain';
const SEGMENTS_MAX = 3;

/**
 * Who can write the files but not sign can make no chain that holds beyond what was signed; and whatever he writes, there
 * is a verdict, and reading goes on.
 */
export async function fuzz(bytes: Buffer): Promise<void> {
  const source = new ByteSource(bytes);
  const segments: string[] = [''];
  const honest: string[] = [];
  let head: ChainHead = { seq: 0, hash: GENESIS_HASH };
  let isHonest = true;
  const add = ({ line, hash }: ChainLine): void => {
    segments.push(`${segments.pop() ?? ''}${line}`);
    if (isHonest) honest.push(line);
    head = { seq: head.seq + 1, hash };
  };
  for (let count = source.byte() % 16; count > 0; count -= 1) {
    const choice = source.byte() % 6;
    const text = source.piece().toString('latin1');
    if (choice === 0)
      add(headerLine(head, { format: 2, chain: CHAIN, segment: segments.length, timeMs: 1, keyId: '' }));
    else if (choice === 1) add(sealLine(`${startOf(head)}"call","detail":""`));
    else if (choice === 2 && isHonest) add(signed(head));
    else if (choice === 5 && segments.length < SEGMENTS_MAX) segments.push('');
    else {
      // From here on it is a stranger who writes: any line, or one whose place and hash are right.
      isHonest = false;
      if (choice === 3) segments.push(`${segments.pop() ?? ''}${text}\n`);
      else add(sealLine(`${startOf(head)}${text}`));
    }
  }
  for (let number = 1; number <= SEGMENTS_MAX; number += 1) {
    const content = segments[number - 1];
    if (content === undefined) rmSync(segmentPath(folder, number), { force: true });
    else writeFileSync(segmentPath(folder, number), content, 'latin1');
  }
  const verdict = await verifyChain(folder, { publicKeyPem: key.publicKeyPem });
  const written = segments.join('').split('\n');
  const believed = written.slice(0, verdict.signedSeq + 1).map((line) => `${line}\n`);
  if (believed.some((line, at) => line !== honest[at]))
    throw new Error('a line is believed that was never signed');
  for await (const record of searchRecords(folder, {}, createRecordReader()))
    if (typeof record !== 'object') throw new Error('no record');
}

function startOf({ seq, hash }: ChainHead): string {
  return `{"seq":${seq},"prev":"${hash}","kind":`;
}

function signed({ seq, hash }: ChainHead): ChainLine {
  const content = { seq, hash, chain: CHAIN, timeMs: 1, keyId: key.keyId };
  return checkpointLine(content, key.sign(checkpointMessage(content)));
}

export function* seeds(): Generator<Uint8Array> {
  const op = (choice: number, text = ''): Buffer =>
    Buffer.from(`${String.fromCharCode(choice, text.length)}${text}`);
  const script = (...ops: readonly Buffer[]): Buffer => Buffer.concat([Buffer.of(ops.length), ...ops]);
  const good = [op(0), op(1), op(2)];
  yield script(...good, op(1));
  yield script(...good, op(5), op(0), op(1), op(2));
  yield script(...good, op(4, '"call",broken'));
  yield script(...good, op(4, '"header","format":2'), op(3, 'x'));
  yield script(...good, op(4, '"checkpoint","chain":"chain","timeMs":1,"keyId":"k","signature":"AA=="'));
  yield script(op(0), op(4, '"call","principal":5,"peer":"~x"'), op(1));
}

export const dictionary: string[] = [
  '"header","format":2,"chain":"chain","segment":',
  '"checkpoint",',
  '"keyId":',
  '"signature":"',
];
