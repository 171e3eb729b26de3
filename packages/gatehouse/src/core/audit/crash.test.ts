import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { openTestWriter, temporaryFolder } from './fixture.test.ts';
import { searchRecords } from './search.ts';
import { verifyChain } from './verify.ts';

const ROUNDS = 30;
/** Small, so that many of the kills hit a change of segments. */
const SEGMENT_BYTES_MAX = 20_000;

const CHILD = `
  import { openTestWriter, sampleEvent } from ${JSON.stringify(join(import.meta.dirname, 'fixture.test.ts'))};
  const writer = await openTestWriter(process.argv[1], { segmentBytesMax: ${SEGMENT_BYTES_MAX}, checkpointMs: 3 });
  for (let index = 0; ; index += 1) {
    writer.append(sampleEvent({ requestId: 'relaxed' }));
    await writer.appendStrict(sampleEvent({ requestId: process.argv[2] + '-' + index }));
    process.stdout.write(index + '\\n');
  }
`;

/** Lets a child write until it acknowledged some records, kills it at once, and tells the last acknowledged. */
async function writeUntilKilled(folder: string, round: number, records: number): Promise<number> {
  const child = spawn(
    process.execPath,
    ['--conditions=source', '--input-type=module-typescript', '--eval', CHILD, folder, String(round)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let acknowledged = -1;
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged = Number(line);
    if (acknowledged >= records) child.kill('SIGKILL');
  }
  if (child.signalCode === null) await once(child, 'exit');
  assert.equal(child.signalCode, 'SIGKILL');
  return acknowledged;
}

test(`F-13 after SIGKILL at ${ROUNDS} random points the chain opens, verifies, and holds every acknowledged record`, {
  timeout: 120_000,
}, async (t) => {
  const folder = await temporaryFolder(t);
  const acknowledged = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const last = await writeUntilKilled(folder, round, Math.floor(Math.random() * 60));
    acknowledged.set(String(round), last);
    await (await openTestWriter(folder, { segmentBytesMax: SEGMENT_BYTES_MAX })).close();
    assert.equal((await verifyChain(folder)).fault, undefined);
  }
  const found = new Set<string>();
  for await (const record of searchRecords(folder, {})) found.add(record.requestId);
  for (const [round, last] of acknowledged) {
    for (let index = 0; index <= last; index += 1) assert.ok(found.has(`${round}-${index}`));
  }
});
