import assert from 'node:assert/strict';
import { appendFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { verifyChain } from '../../packages/gatehouse/src/core/audit/verify.ts';
import { readAuditEvents } from '../../packages/gatehouse/src/testing/audit-events.ts';
import { decode } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { ask, type FaultSite, makeFaultSite, ORDERS, type Running, startWorkflow } from './fault-site.ts';
import { startGatehouse } from './gatehouse-process.ts';

/** GATEHOUSE_KILLS raises it. */
const ROUNDS = Number(process.env['GATEHOUSE_KILLS'] ?? 5);
const KILL_WITHIN_MS = 1500;
/** "In seconds", on a machine that others use too. */
const REPAIR_MS = 30_000;
let place: FaultSite;

before(async () => {
  place = await makeFaultSite();
});
after(() => place?.close());

/** Writes to everything that is written: workflows and their records, namespace keys, the directory. */
function writeAll(running: Running, round: number, acknowledged: string[]): { stop(): Promise<void> } {
  let on = true;
  const client = running.open();
  const calls = async (lane: number): Promise<void> => {
    for (let index = 0; on && !client.session.destroyed; index += 1) {
      const id = `r${round}-${lane}-${index}`;
      if ((await startWorkflow(client, id)).status === 0) acknowledged.push(id);
    }
  };
  const config = async (): Promise<void> => {
    for (let days = 1; on; days = (days % 90) + 1) {
      const text = `{ id: ${ORDERS}, caFile: orders-ca.pem, audit: strict, retentionDays: ${days} }`;
      place.site.configure({ namespaces: [text] });
      running.process.child.kill('SIGHUP');
      await wait(50);
    }
  };
  const rotating = startGatehouse([
    'keys',
    'rotate',
    '--config',
    place.site.configFile,
    '--namespace',
    ORDERS,
  ]);
  const all = [calls(0), calls(1), calls(2), config()];
  return {
    async stop() {
      on = false;
      await Promise.all(all);
      // It may have found the home locked or gone; what it did is whole or not there.
      await rotating.ended;
    },
  };
}

test(`F-13 after SIGKILL at ${ROUNDS} random moments while records, keys and directory are written the next start works in seconds, and nothing acknowledged is lost`, {
  timeout: 240_000,
}, async () => {
  const acknowledged: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = performance.now();
    const running = await place.serve();
    assert.ok(performance.now() - before < REPAIR_MS, 'ready again in seconds');
    const writing = writeAll(running, round, acknowledged);
    await wait(200 + Math.random() * KILL_WITHIN_MS);
    await running.stop('SIGKILL');
    await writing.stop();
  }
  const last = await place.serve();
  const client = last.open();
  assert.ok(acknowledged.length > ROUNDS, `${acknowledged.length} starts`);
  for (const workflowId of acknowledged) {
    const { status, body } = await ask(client, 'GetWorkflowExecutionHistory', { execution: { workflowId } });
    assert.equal(status, 0, `${workflowId} was acknowledged`);
    const { history } = decode('workflowservice.v1.GetWorkflowExecutionHistoryResponse', body);
    // Sealed with whatever key was current: no key is lost.
    const [payload] = history.events[0].attributes.value.input.payloads;
    assert.equal(Buffer.from(payload.data).toString(), `"${workflowId}"`);
  }
  await last.stop();
  assert.equal((await verifyChain(place.audit)).fault, undefined);
});

test('F-13 a torn last line of the record is cut at the next start, which says so in the record', async () => {
  const running = await place.serve();
  await startWorkflow(running.open(), 'before-the-tear');
  await running.stop('SIGKILL');
  const segment = readdirSync(place.audit)
    .filter((name) => name.endsWith('.jsonl'))
    .sort()
    .at(-1);
  assert.ok(segment !== undefined);
  const torn = '{"seq":99999,"prev":"00';
  appendFileSync(join(place.audit, segment), torn);
  const next = await place.serve();
  await next.stop();
  assert.equal((await verifyChain(place.audit)).fault, undefined);
  const repairs = (await readAuditEvents(place.site.home)).filter(({ method }) => method === 'audit.repair');
  const [, bytes] = /^(\d+) bytes of a torn tail were cut$/.exec(String(repairs.at(-1)?.['detail'])) ?? [];
  assert.ok(Number(bytes) >= torn.length, JSON.stringify(repairs));
});

test('F-15 with a broken certificate, a key of another one or an expired one a start ends in words, and starts when they are mended', async () => {
  const { site } = place;
  const [good, other, expired] = [
    await site.issueServer(),
    await site.issueServer(),
    await site.issueServer(1),
  ];
  for (const [pair, words] of [
    [{ ...good, certificatePem: good.certificatePem.slice(0, 300) }, /server\.pem/],
    [{ ...good, certificatePem: '' }, /server\.pem/],
    [{ ...good, privateKeyPem: other.privateKeyPem }, /server\.key is not the key of .*server\.pem/],
    [expired, /server\.pem expired at/],
  ] as const) {
    site.putServer(pair);
    const refused = await place.refusedStart();
    assert.equal(refused.exitCode, 2, refused.words);
    assert.match(refused.words, words);
    assert.doesNotMatch(refused.words, /\n {4}at /);
  }
  site.putServer(good);
  const running = await place.serve();
  assert.equal((await ask(running.open(), 'CountWorkflowExecutions')).status, 0);
  await running.stop();
});
