// threats.md T-095: what a namespace feels of a neighbour at fifty times its limit. Run by itself, on a quiet
// machine: `node --conditions=source bench/neighbour.ts`. The gateway, the flooder and the neighbour are processes
// of their own. Not part of `npm run bench`: what it tells is one ratio, and the outcomes are test/e2e/rate-limits.test.ts.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EndpointFile } from '../packages/gatehouse/src/app/endpoint-file.ts';
import { describe } from '../packages/gatehouse/src/testing/attack-site.ts';
import { encode, openRawClient, WORKFLOW_SERVICE } from '../packages/gatehouse/src/testing/grpc-client.ts';
import { DOMAIN, makeSite } from '../test/e2e/serve-site.ts';
import { findFreePort, startChild } from './child.ts';
import { GATEHOUSE_FILE, GATEHOUSE_NODE_FLAGS } from './gatehouse.ts';
import { cpuUsOf } from './measure.ts';
import { percentile } from './statistics.ts';

const FLOODER = 'flooder.acme1';
const NEIGHBOUR = 'quiet.acme1';
const LIMIT = 100;
const SPAN_MS = 10_000;
/** Quiet and flooded in turn, so that what else the machine does falls on both. */
const ROUNDS = 3;
const NEIGHBOUR_CALLS_PER_SECOND = 200;

const [role = 'main', argument = ''] = process.argv.slice(2);
if (role === 'flood') await flood(JSON.parse(argument) as EndpointFile);
else await main();

function openAs(endpoint: EndpointFile, id: string) {
  return openRawClient({ endpoint, certificateOf: id, serverName: `${id}.${DOMAIN}` });
}

/** Fifty times the limit of calls, one in ten of them a poll, whether or not they are answered, until it is ended. */
async function flood(endpoint: EndpointFile): Promise<void> {
  const clients = Array.from({ length: 20 }, () => openAs(endpoint, FLOODER));
  const request = encode('workflowservice.v1.PollActivityTaskQueueRequest', {
    namespace: FLOODER,
    taskQueue: { name: 'none' },
  });
  let turn = 0;
  let answered = 0;
  setInterval(() => {
    for (let call = 0; call < (LIMIT * 50) / 200; call += 1) {
      turn += 1;
      const client = clients[turn % clients.length];
      if (client === undefined) continue;
      const isPoll = turn % 10 === 0;
      const answer = isPoll
        ? client.call(`${WORKFLOW_SERVICE}PollActivityTaskQueue`, request)
        : describe(client, FLOODER);
      void answer.then(() => {
        answered += 1;
      });
    }
  }, 5);
  process.on('message', () => process.send?.({ answered }));
}

/** Latencies of the neighbour's paced calls, in ms. */
async function measure(endpoint: EndpointFile): Promise<readonly number[]> {
  const clients = Array.from({ length: 4 }, () => openAs(endpoint, NEIGHBOUR));
  await Promise.all(clients.map((client) => describe(client, NEIGHBOUR)));
  const latencies: number[] = [];
  let failed = 0;
  const running: Promise<void>[] = [];
  const endMs = performance.now() + SPAN_MS;
  for (let turn = 0; performance.now() < endMs; turn += 1) {
    const client = clients[turn % clients.length];
    if (client === undefined) break;
    const startedMs = performance.now();
    running.push(
      describe(client, NEIGHBOUR).then((answer) => {
        latencies.push(performance.now() - startedMs);
        if (answer.status !== 0) failed += 1;
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 1000 / NEIGHBOUR_CALLS_PER_SECOND));
  }
  await Promise.all(running);
  for (const client of clients) client.close();
  if (failed > 0) throw new Error(`${failed} of the neighbour's calls failed`);
  return latencies.toSorted((a, b) => a - b);
}

/** How many of the flooder's calls were answered so far, with whatever. */
async function answeredBy(flooder: ChildProcess): Promise<number> {
  flooder.send('how many?');
  const [{ answered }] = (await once(flooder, 'message')) as [{ readonly answered: number }];
  return answered;
}

async function main(): Promise<void> {
  const site = await makeSite();
  await site.makeCa('first');
  const port = await findFreePort();
  site.configure({
    grpc: `127.0.0.1:${port}`,
    drainSeconds: 1,
    namespaces: [
      `{ id: ${FLOODER}, caFile: first-ca.pem, limits: { callsPerSecond: ${LIMIT}, polls: 200 } }`,
      `{ id: ${NEIGHBOUR}, caFile: first-ca.pem }`,
    ],
  });
  const gateway = await startChild({
    file: process.execPath,
    args: [...GATEHOUSE_NODE_FLAGS, GATEHOUSE_FILE, 'serve', '--config', site.configFile],
    logFile: join(site.folder, 'gatehouse.log'),
    isReady: (log) => /"ready":\s*true/.test(log),
  });
  const endpoint = site.endpoint(`127.0.0.1:${port}`, { [FLOODER]: 'first', [NEIGHBOUR]: 'first' });
  try {
    await measure(endpoint);
    for (let round = 1; round <= ROUNDS; round += 1) {
      const quiet = await measure(endpoint);
      const flooder = fork(fileURLToPath(import.meta.url), ['flood', JSON.stringify(endpoint)], {
        execArgv: ['--conditions=source'],
      });
      // A flooder has a machine of his own: here he must not take what the gateway needs.
      if (flooder.pid !== undefined) setPriority(flooder.pid, 19);
      await new Promise((resolve) => setTimeout(resolve, 2000));
      const before = await answeredBy(flooder);
      const { cpuUs, result: flooded } = await cpuUsOf(gateway.pid, () => measure(endpoint));
      const answered = (await answeredBy(flooder)) - before;
      flooder.kill();
      const perSecond = Math.round((answered * 1000) / SPAN_MS);
      const cpu = `gateway ${Math.round(cpuUs / 10 / SPAN_MS)} % of a core`;
      const row = [0.5, 0.99].map((part) => {
        const [before, after] = [percentile(quiet, part), percentile(flooded, part)];
        return `p${part * 100} ${before.toFixed(2)} -> ${after.toFixed(2)} ms (${(after / before).toFixed(2)})`;
      });
      process.stdout.write(`round ${round}: ${perSecond} flood answers/s, ${cpu}; ${row.join(', ')}\n`);
    }
  } finally {
    await gateway.stop();
    site.close();
  }
}
