import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { Connection } from '@temporalio/client';
import { readChainEvents } from '../../packages/gatehouse/src/testing/audit-events.ts';
import type { RawAnswer, RawClient } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { ask, ORDERS } from './fault-site.ts';
import { type GatehouseProcess, processesOf, until } from './gatehouse-process.ts';
import {
  BILLING,
  describeNamespace,
  makeProcessesSite,
  type ProcessesSite,
  verifyAudit,
} from './gateway-processes-site.ts';
import { DOMAIN } from './serve-site.ts';

const RESOURCE_EXHAUSTED = 8;
let site: ProcessesSite;
let supervisor: GatehouseProcess;

before(async () => {
  site = await makeProcessesSite();
  site.configure({});
  supervisor = await site.serve();
});
after(() => site?.close());

/** One connection at each process: they go to the one that has the fewest. */
async function openAtBoth(namespaceId: string): Promise<readonly [RawClient, RawClient]> {
  const first = site.open(namespaceId);
  await answered(first, namespaceId);
  const second = site.open(namespaceId);
  await answered(second, namespaceId);
  return [first, second];
}

async function answered(client: RawClient, namespaceId: string): Promise<RawAnswer> {
  const answer = await describeNamespace(client, namespaceId);
  assert.equal(answer.status, 0, `${answer.message} ${answer.failure}`);
  return answer;
}

test('two processes serve one port, each keeps the record of the calls that it served', async () => {
  assert.equal(site.gateways().size, 2);
  const clients = await openAtBoth(ORDERS);
  const places = await Promise.all(
    clients.map(async (client) => await site.servedBy(await answered(client, ORDERS))),
  );
  assert.deepEqual(places.flat().sort(), ['gateway-1', 'gateway-2']);
  for (const client of clients) client.close();
});

test('F-14 no call fails while the processes are restarted one by one, and none of the old ones is left', async (t) => {
  const old = site.gateways();
  const read = (file: string): Buffer => readFileSync(join(site.site.folder, file));
  const connections = await Promise.all(
    Array.from({ length: 4 }, () =>
      Connection.connect({
        address: site.grpc(),
        tls: {
          serverNameOverride: `${ORDERS}.${DOMAIN}`,
          serverRootCACertificate: read('server-ca.pem'),
          clientCertPair: { crt: read('orders.pem'), key: read('orders.key') },
        },
        // Without the retries of the SDK: what is left is what every gRPC client does at a GOAWAY.
        interceptors: [],
      }),
    ),
  );
  let loading = true;
  t.after(() => {
    loading = false;
  });
  let calls = 0;
  const failures: unknown[] = [];
  const load = connections.flatMap(({ workflowService }) =>
    [1, 2].map(async () => {
      while (loading) {
        await workflowService.describeNamespace({ namespace: ORDERS }).then(
          () => {
            calls += 1;
          },
          (error: unknown) => failures.push(error),
        );
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }),
  );
  await until('calls are made', () => calls > 100);
  for (let round = 0; round < 2; round += 1) {
    const before = site.logged('every gateway process was replaced');
    supervisor.child.kill('SIGUSR2');
    await until(
      'every process was replaced',
      () => site.logged('every gateway process was replaced') > before,
      60_000,
    );
  }
  const count = calls;
  await until('calls are made again', () => calls > count + 100);
  loading = false;
  await Promise.all(load);
  assert.deepEqual(failures, []);
  const replaced = [...site.gateways().values()];
  assert.equal(replaced.length, 2);
  for (const pid of old.values()) assert.ok(!replaced.includes(pid));
  for (const connection of connections) await connection.close();
  const chains = await readChainEvents(site.site.home);
  let recorded = 0;
  for (const events of chains.values()) {
    recorded += events.filter(({ method }) => String(method).endsWith('/DescribeNamespace')).length;
  }
  assert.ok(recorded >= calls, `${recorded} records of ${calls} calls`);
  await verifyAudit(site.site.home);
});

test('F-01 a process that is killed is replaced while the other goes on, and nothing of its record is lost', async () => {
  const clients = await openAtBoth(ORDERS);
  const answers = await Promise.all(clients.map((client) => answered(client, ORDERS)));
  const places = (await Promise.all(answers.map((answer) => site.servedBy(answer)))).flat();
  const [name = ''] = places;
  const victim = site.gateways().get(Number(name.replace('gateway-', '')));
  assert.ok(victim);
  const [doomed, spared] = clients;
  const closed = new Promise((resolve) => doomed.session.once('close', resolve));
  process.kill(victim, 'SIGKILL');
  await closed;
  for (let call = 0; call < 20; call += 1) await answered(spared, ORDERS);
  await until('it is replaced', () => {
    const pids = [...site.gateways().values()];
    return pids.length === 2 && !pids.includes(victim);
  });
  await until('both serve again', async () => {
    const next = site.open(ORDERS);
    const [place] = await site.servedBy(await answered(next, ORDERS));
    return place !== places[1];
  });
  for (const answer of answers) assert.equal((await site.servedBy(answer)).length, 1);
  const own = (await readChainEvents(site.site.home)).get('') ?? [];
  assert.ok(own.some(({ method, reason }) => method === 'gateway.process' && reason === 'process_ended'));
  const { processes } = await verifyAudit(site.site.home);
  assert.ok(Array.isArray(processes) && processes.length >= 2);
  for (const client of clients) client.close();
});

test('T-095b calls over two processes keep to one limit, within the error that is stated, and polls to one number', async () => {
  const RATE = 40;
  const BURST_SECONDS = 1;
  // docs/call-path/admit.md: a burst of each other process, and what the rate brings while the news is under way.
  const NEWS_SECONDS = 0.5;
  site.configure({
    namespaces: [
      `{ id: ${ORDERS}, caFile: orders-ca.pem, audit: strict }`,
      `{ id: ${BILLING}, caFile: billing-ca.pem, limits: { callsPerSecond: ${RATE}, burstSeconds: ${BURST_SECONDS}, polls: 2 } }`,
    ],
  });
  let clients: readonly RawClient[] = [];
  await until('the namespace is at both', async () => {
    clients = [site.open(BILLING), site.open(BILLING)];
    const answers = await Promise.all(clients.map((client) => describeNamespace(client, BILLING)));
    return answers.every(({ status }) => status === 0);
  });
  const startedMs = performance.now();
  let granted = 0;
  const flood = clients.map(async (client) => {
    while (performance.now() - startedMs < 3000) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => describeNamespace(client, BILLING)));
      for (const { status, message } of answers) {
        assert.ok(status === 0 || status === RESOURCE_EXHAUSTED, `${status} ${message}`);
        if (status === 0) granted += 1;
      }
    }
  });
  await Promise.all(flood);
  const seconds = (performance.now() - startedMs) / 1000;
  const single = RATE * BURST_SECONDS + RATE * seconds;
  const error = RATE * BURST_SECONDS + RATE * NEWS_SECONDS;
  assert.ok(granted <= single + error, `${granted} calls in ${seconds} s`);
  // Not the half that each would have of a limit that is divided.
  assert.ok(granted >= RATE * seconds * 0.7, `${granted} calls in ${seconds} s`);

  const poll = (client: RawClient): Promise<RawAnswer> => {
    const fields = { namespace: BILLING, taskQueue: { name: 'parked' }, identity: 'test' };
    return ask(client, 'PollActivityTaskQueue', fields, 20_000);
  };
  const held: Promise<RawAnswer>[] = [];
  const [first, second] = clients;
  assert.ok(first && second);
  await until('calls are saved up', async () => (await describeNamespace(first, BILLING)).status === 0);
  held.push(poll(first), poll(second));
  await until('a third poll is refused at either', async () => {
    const third = await Promise.all([first, second].map((client) => refusedPoll(client, poll)));
    return third.every((isRefused) => isRefused);
  });
  for (const client of clients) client.close();
  await Promise.all(held);
});

/** Whether one poll more is refused for its number; one that is not is left to wait. */
async function refusedPoll(
  client: RawClient,
  poll: (client: RawClient) => Promise<RawAnswer>,
): Promise<boolean> {
  const waits = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 1000));
  const answer = await Promise.race([poll(client), waits]);
  return (
    answer?.status === RESOURCE_EXHAUSTED &&
    answer.headers['x-resource-exhausted-cause'] === 'CONCURRENT_LIMIT'
  );
}

/** The serial number of the certificate that a new connection is shown. */
function shownSerial(): Promise<string> {
  const [host = '', port = ''] = site.grpc().split(':');
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host,
      port: Number(port),
      servername: `${ORDERS}.${DOMAIN}`,
      ALPNProtocols: ['h2'],
      rejectUnauthorized: false,
      cert: readFileSync(join(site.site.folder, 'orders.pem')),
      key: readFileSync(join(site.site.folder, 'orders.key')),
    });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      resolve(socket.getPeerX509Certificate()?.serialNumber ?? '');
      socket.destroy();
    });
  });
}

test('F-15 a new server certificate is shown by every process, and a namespace that is changed is changed at each', async () => {
  const pair = await site.site.issueServer();
  const serial = new X509Certificate(pair.certificatePem).serialNumber;
  site.site.putServer(pair);
  await until('both show it', async () => {
    const shown = await Promise.all([shownSerial(), shownSerial(), shownSerial(), shownSerial()]);
    return shown.every((each) => each === serial);
  });
  const clients = await openAtBoth(ORDERS);
  site.configure({
    namespaces: [
      `{ id: ${ORDERS}, caFile: orders-ca.pem, audit: strict, certificateFilters: [{ commonName: nobody }] }`,
    ],
  });
  const gone = clients.map(({ session }) => new Promise((resolve) => session.once('close', resolve)));
  await Promise.all(gone);
  site.configure({});
  await until('they are admitted again', async () => {
    const both = [site.open(ORDERS), site.open(ORDERS)];
    const answers = await Promise.all(both.map((client) => describeNamespace(client, ORDERS)));
    for (const client of both) client.close();
    return answers.every(({ status }) => status === 0);
  });
});

test('F-01 where the supervisor is killed its processes end too, and the home starts again at once', async () => {
  supervisor.child.kill('SIGKILL');
  await supervisor.ended;
  supervisor = await site.serve();
  const clients = await openAtBoth(ORDERS);
  assert.equal(site.gateways().size, 2);
  await verifyAudit(site.site.home);
  for (const client of clients) client.close();
});

test('F-14 at a stop every process drains, also where the terminal tells all of them at once', async () => {
  const client = site.open(ORDERS);
  await answered(client, ORDERS);
  const told = new Promise((resolve) => client.session.once('goaway', resolve));
  for (const pid of site.gateways().values()) process.kill(pid, 'SIGINT');
  supervisor.child.kill('SIGINT');
  await told;
  assert.equal(await supervisor.ended, 0, supervisor.stderr());
  assert.deepEqual(processesOf(site.site.folder), []);
  await verifyAudit(site.site.home);
});
