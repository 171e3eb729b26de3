import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import {
  decode,
  encode,
  openRawClient,
  type RawAnswer,
  type RawClient,
  WORKFLOW_SERVICE,
} from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { until } from './gatehouse-process.ts';
import { DOMAIN, makeSite, type Served, type Site, serveSite } from './serve-site.ts';

let site: Site;
let served: Served;
const clients: RawClient[] = [];
const ORDERS = 'orders.acme1';

before(async () => {
  site = await makeSite();
  await site.makeCa('first');
  await site.makeCa('second');
  site.configure({ namespaces: [orders('first')] });
  served = await serveSite(site);
});

after(async () => {
  for (const client of clients) client.close();
  await served?.serving.stop(500);
  site?.close();
});

function orders(ca: string, more = ''): string {
  return `{ id: ${ORDERS}, caFile: ${ca}-ca.pem${more} }`;
}

/** A connection with the certificate of this CA, kept open until the end. */
function open(name: string, namespace = ORDERS): RawClient {
  const endpoint = site.endpoint(served.grpc, { [namespace]: name });
  const client = openRawClient({ endpoint, certificateOf: namespace, serverName: `${namespace}.${DOMAIN}` });
  clients.push(client);
  return client;
}

function count(client: RawClient, namespace = ORDERS): Promise<RawAnswer> {
  const request = encode('workflowservice.v1.CountWorkflowExecutionsRequest', { namespace });
  return client.call(`${WORKFLOW_SERVICE}CountWorkflowExecutions`, request, { timeoutMs: 5000 });
}

async function expectOk(client: RawClient, namespace = ORDERS): Promise<void> {
  const answer = await count(client, namespace);
  assert.equal(answer.status, 0, `${answer.message} ${answer.failure}`);
}

async function reloads(): Promise<readonly Readonly<Record<string, string | number>>[]> {
  return (await served.events()).filter(
    ({ kind, method }) => kind === 'admin' && String(method).endsWith('.reload'),
  );
}

/** Waits for one more reload, however it ends, after a change of the files. */
async function afterReload(change: () => void): Promise<Readonly<Record<string, string | number>>> {
  const before = (await reloads()).length;
  change();
  await until('the files are read again', async () => (await reloads()).length > before);
  const all = await reloads();
  assert.equal(all.length, before + 1);
  return all.at(-1) ?? {};
}

function logged(text: string): string | undefined {
  return served.logLines.find((line) => line.includes(text));
}

test('F-14 a second CA in the bundle, a filter, a new namespace: connections of before go on, those of after see it', async () => {
  const live = open('first');
  await expectOk(live);
  // A handshake that no CA covers shows as a failed call.
  assert.equal((await count(open('second'))).status, -1);
  const both =
    readFileSync(join(site.folder, 'first-ca.pem'), 'utf8') +
    readFileSync(join(site.folder, 'second-ca.pem'), 'utf8');
  writeFileSync(join(site.folder, 'both-ca.pem'), both);
  const event = await afterReload(() => {
    site.configure({
      namespaces: [
        orders(
          'both',
          ', retentionDays: 7, audit: strict, certificateFilters: [{ organization: first }, { organization: second }]',
        ),
        '{ id: billing.acme1, caFile: second-ca.pem }',
      ],
    });
  });
  assert.deepEqual(
    [event['method'], event['outcome'], event['principal']],
    ['config.reload', 'ok', 'operator:configuration'],
  );
  assert.equal(
    event['detail'],
    `${ORDERS}: certificateFilters, caBundle, auditMode, retentionDays; billing.acme1: created`,
  );
  await expectOk(live);
  await expectOk(open('second'));
  await expectOk(open('second', 'billing.acme1'), 'billing.acme1');
  const record = served.serving.platform.directory.snapshot().namespaces.get(ORDERS);
  assert.deepEqual(
    [record?.retentionDays, record?.auditMode, record?.certificateFilters.length],
    [7, 'strict', 2],
  );
  // The engine is the one that deletes.
  const described = await live.call(
    `${WORKFLOW_SERVICE}DescribeNamespace`,
    encode('workflowservice.v1.DescribeNamespaceRequest', { namespace: ORDERS }),
  );
  assert.equal(described.status, 0, described.message);
  const { config } = decode('workflowservice.v1.DescribeNamespaceResponse', described.body);
  assert.equal(Number(config.workflowExecutionRetentionTtl.seconds), 7 * 86_400);
});

test('F-14 a CA that is taken out closes the connections that it admitted, and no others', async () => {
  const [kept, lost] = [open('second'), open('first')];
  await expectOk(kept);
  await expectOk(lost);
  const event = await afterReload(() => {
    site.configure({ namespaces: [orders('second', ', retentionDays: 7, audit: strict')] });
  });
  assert.equal(event['outcome'], 'ok');
  assert.equal(event['detail'], `${ORDERS}: caBundle, certificateFilters`);
  await until('the connection is closed', () => lost.session.closed || lost.session.destroyed, 5000);
  await expectOk(kept);
  assert.equal((await count(open('first'))).status, -1);
  // What the configuration no longer names stays.
  await expectOk(open('second', 'billing.acme1'), 'billing.acme1');
  assert.match(logged('namespaces that the configuration does not name') ?? '', /billing\.acme1/);
});

test('a configuration with a fault is refused as a whole, the old one stays, and log and record say so', async () => {
  const live = open('second');
  await expectOk(live);
  const before = served.serving.platform.directory.snapshot().revision;
  writeFileSync(join(site.folder, 'broken-ca.pem'), 'no certificate');
  const faulty: (readonly [string, () => void])[] = [
    [
      'portal: is not a known key',
      () => site.configure({ namespaces: [orders('first')], more: 'portal: {}' }),
    ],
    [
      'namespaces.1.caFile',
      () => site.configure({ namespaces: [orders('first'), '{ id: late.acme1, caFile: broken-ca.pem }'] }),
    ],
    ['gone-ca.pem cannot be read', () => site.configure({ namespaces: [orders('first'), orders('gone')] })],
    [
      'at least one field set',
      () => site.configure({ namespaces: [orders('first', ', certificateFilters: [{}]')] }),
    ],
  ];
  for (const [fault, write] of faulty) {
    const event = await afterReload(write);
    assert.deepEqual([event['outcome'], event['reason']], ['refused', 'config_invalid'], fault);
    assert.ok(
      String(event['detail'])
        .replace(/ \(line \d+\)/g, '')
        .includes(fault),
      `${event['detail']}`,
    );
    assert.equal(served.serving.platform.directory.snapshot().revision, before, fault);
  }
  await expectOk(live);
  await expectOk(open('second'));
  assert.ok(logged('the new configuration cannot be used; the old one stays'));
});

test('what cannot change while it runs is said, and the rest is applied', async () => {
  const event = await afterReload(() => {
    site.configure({
      grpc: '127.0.0.1:1',
      namespaces: [orders('second', ', retentionDays: 8')],
      more: 'engine: { historyShards: 8 }',
    });
  });
  assert.equal(event['detail'], `${ORDERS}: auditMode, retentionDays`);
  assert.match(logged('need a restart') ?? '', /"keys":\["gateway\.grpc","engine"\]/);
  await expectOk(open('second'));
});

/** SHA-256 of the certificate that is shown to a new connection. */
async function shown(): Promise<string> {
  const socket = await new Promise<TLSSocket>((resolve, reject) => {
    const [host = '', port] = served.grpc.split(':');
    const read = (file: string) => readFileSync(join(site.folder, file));
    const made = connect(
      {
        host,
        port: Number(port),
        servername: `${ORDERS}.${DOMAIN}`,
        ca: read('server-ca.pem'),
        cert: read('second.pem'),
        key: read('second.key'),
        ALPNProtocols: ['h2'],
      },
      () => resolve(made),
    );
    made.once('error', reject);
  });
  const { raw } = socket.getPeerCertificate();
  socket.destroy();
  return createHash('sha256').update(raw).digest('hex');
}

function digestOf(pem: string): string {
  return createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
}

test('F-15 a new server certificate is shown to new connections, and old ones go on', async () => {
  const live = open('second');
  await expectOk(live);
  const next = await site.issueServer();
  const event = await afterReload(() => site.putServer(next));
  assert.deepEqual([event['method'], event['outcome']], ['certificate.reload', 'ok']);
  assert.equal(await shown(), digestOf(next.certificatePem));
  await expectOk(live);
});

test('F-15 a broken certificate, a key of another one, an expired one are refused: the old pair stays', async () => {
  const live = open('second');
  await expectOk(live);
  const old = await shown();
  const [next, other] = [await site.issueServer(), await site.issueServer()];
  const expired = await site.issueServer(1);
  for (const [pair, problem] of [
    [{ ...next, certificatePem: next.certificatePem.slice(0, 200) }, /holds no PEM certificate/],
    [{ ...next, privateKeyPem: other.privateKeyPem }, /server\.key is not the key of .*server\.pem/],
    [{ ...next, privateKeyPem: '' }, /server\.key holds no PEM private key/],
    [expired, /server\.pem expired at/],
  ] as const) {
    const event = await afterReload(() => site.putServer(pair));
    assert.deepEqual(
      [event['method'], event['outcome'], event['reason']],
      ['certificate.reload', 'refused', 'certificate_unusable'],
    );
    assert.match(String(event['detail']), problem);
    assert.equal(await shown(), old);
  }
  await expectOk(live);
  // A later good pair is taken, whatever came before.
  await afterReload(() => site.putServer(next));
  assert.equal(await shown(), digestOf(next.certificatePem));
  await expectOk(live);
});

test('T-100a a reload refuses a key that has become readable by others', async () => {
  const key = join(site.folder, 'server.key');
  chmodSync(key, 0o644);
  const before = (await reloads()).length;
  await served.serving.reload();
  const event = (await reloads()).at(-1) ?? {};
  assert.ok((await reloads()).length > before);
  assert.match(String(event['detail']), /gateway\.keyFile.*chmod 600/s);
  chmodSync(key, 0o600);
});
