import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { type TestContext, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import {
  DOMAIN,
  type GatewayFixture,
  HOST,
  NAMESPACE,
  startGatewayFixture,
} from '../gateway-fixture.test.ts';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
}

type Speak = (t: TestContext, fixture: GatewayFixture, path: string, asking?: Asking) => Promise<Answer>;

const versions: readonly (readonly [string, Speak])[] = [
  ['HTTP/1.1', speakHttp1],
  ['HTTP/2', speakHttp2],
];
const WORKFLOW = `/namespaces/${NAMESPACE}/workflows/w1`;
const base64 = (text: string): string => Buffer.from(text).toString('base64');

for (const [version, speak] of versions) {
  test(`${version}: a workflow is started, and the engine and the record see the gRPC call`, async (t) => {
    const fixture = await startGatewayFixture(t);
    fixture.answer = () => ({ reply: { runId: 'r1', started: true } });
    const answer = await speak(t, fixture, WORKFLOW, {
      method: 'POST',
      headers: {
        'client-name': 'my-script',
        'grpc-metadata-caller-type': 'operator',
        authorization: 'Bearer mine',
      },
      body: '{"workflowType":{"name":"Order"},"taskQueue":{"name":"q"},"input":[{"n":1}]}',
    });
    assert.equal(answer.status, 200);
    assert.deepEqual(JSON.parse(answer.text), { runId: 'r1', started: true });
    assert.equal(answer.headers['content-type'], 'application/json');
    const [question] = fixture.asked;
    assert.equal(question?.method, 'StartWorkflowExecution');
    assert.equal(question.request['namespace'], NAMESPACE);
    assert.equal(question.headers['client-name'], 'my-script');
    assert.equal(question.headers['caller-type'], undefined);
    assert.equal(question.headers['authorization'], `Bearer ${NAMESPACE} write`);
    const [event] = fixture.events;
    assert.equal(event?.method, 'temporal.api.workflowservice.v1.WorkflowService/StartWorkflowExecution');
    assert.equal(event.requestId, answer.headers['gatehouse-request-id']);
    assert.match(event.principal, /^certificate:/);
  });

  test(`${version}: an error of the engine keeps its status, text and details`, async (t) => {
    const fixture = await startGatewayFixture(t);
    const details = [
      {
        '@type': 'type.googleapis.com/temporal.api.errordetails.v1.WorkflowExecutionAlreadyStartedFailure',
        startRequestId: 'a',
        runId: 'r1',
      },
    ];
    fixture.answer = () => ({ status: 6, message: 'already started', details: { code: 6, details } });
    const answer = await speak(t, fixture, WORKFLOW, { method: 'POST', body: '{}' });
    assert.equal(answer.status, 409);
    assert.deepEqual(JSON.parse(answer.text), { code: 6, message: 'already started', details });
  });

  test(`T-023 ${version}: another namespace in the path is refused and the engine is not asked`, async (t) => {
    const fixture = await startGatewayFixture(t);
    for (const namespace of [
      'billing.acme2',
      'ORDERS.acme1',
      `${NAMESPACE};a=b`,
      `${NAMESPACE}%20`,
      'temporal-system',
    ]) {
      const answer = await speak(t, fixture, `/api/v1/namespaces/${namespace}/workflows`);
      assert.equal(answer.status, 403, namespace);
      assert.deepEqual(JSON.parse(answer.text), { code: 7, message: 'Request unauthorized.' });
    }
    for (const path of [
      `/namespaces/${NAMESPACE}%2fworkflows`,
      '/namespaces/../cluster',
      `/namespaces//workflows`,
    ]) {
      assert.equal((await speak(t, fixture, path)).status, 400, path);
    }
    assert.deepEqual(fixture.asked, []);
    assert.equal(fixture.events.length, 8);
  });

  test(`T-019 ${version}: another host of the platform, or another namespace header, is refused`, async (t) => {
    const fixture = await startGatewayFixture(t);
    const attempts: Asking['headers'][] = [
      { host: `billing.acme2.${DOMAIN}` },
      { 'temporal-namespace': 'billing.acme2' },
      { 'grpc-metadata-temporal-namespace': 'billing.acme2' },
    ];
    for (const headers of attempts) {
      const answer = await speak(t, fixture, WORKFLOW, { headers: headers ?? {} });
      assert.equal(answer.status, 403, JSON.stringify(headers));
    }
    const twice = { headers: { 'temporal-namespace': [NAMESPACE, 'billing.acme2'] } };
    assert.equal((await speak(t, fixture, WORKFLOW, twice)).status, 400);
    assert.deepEqual(fixture.asked, []);
  });

  test(`${version}: unknown paths, other methods and methods closed to tenants are told apart`, async (t) => {
    const fixture = await startGatewayFixture(t);
    const missing = await speak(t, fixture, '/swagger.json');
    assert.deepEqual([missing.status, JSON.parse(missing.text)], [404, { code: 5, message: 'Not Found' }]);
    const other = await speak(t, fixture, WORKFLOW, { method: 'PUT' });
    assert.deepEqual(
      [other.status, JSON.parse(other.text)],
      [501, { code: 12, message: 'Method Not Allowed' }],
    );
    assert.equal((await speak(t, fixture, '/cluster/namespaces')).status, 403);
    assert.equal((await speak(t, fixture, `/namespaces/${NAMESPACE}/workflow-rules`)).status, 501);
    assert.equal((await speak(t, fixture, '/cluster/nexus/endpoints')).status, 403);
    assert.deepEqual(fixture.asked, []);
    assert.deepEqual(
      fixture.events.map((event) => event.method.replace(/^.*\//, '')),
      ['other', 'other', 'ListNamespaces', 'ListWorkflowRules', 'ListNexusEndpoints'],
    );
  });

  test(`${version}: what is too large, encoded or sent by a web page is refused with the right status`, async (t) => {
    const fixture = await startGatewayFixture(t);
    const large = JSON.stringify({ input: ['x'.repeat(5 * 1024 * 1024)] });
    assert.equal((await speak(t, fixture, WORKFLOW, { method: 'POST', body: large })).status, 413);
    const gzip = { method: 'POST', body: '{}', headers: { 'content-encoding': 'gzip' } };
    assert.equal((await speak(t, fixture, WORKFLOW, gzip)).status, 415);
    const page = { method: 'POST', body: '{}', headers: { origin: 'https://evil.example' } };
    assert.equal((await speak(t, fixture, WORKFLOW, page)).status, 403);
    assert.equal((await speak(t, fixture, WORKFLOW, { method: 'POST', body: '{"nope":1}' })).status, 400);
    assert.deepEqual(fixture.asked, []);
  });

  test(`${version}: pretty and full payloads are asked for by query, Accept or content type`, async (t) => {
    const fixture = await startGatewayFixture(t);
    const payload = { metadata: { encoding: base64('json/plain') }, data: base64('"v"') };
    fixture.answer = () => ({ reply: { workflowExecutionInfo: { memo: { fields: { k: payload } } } } });
    const memoOf = async (path: string, headers: Asking['headers'] = {}) => {
      const { text } = await speak(t, fixture, path, { headers: headers ?? {} });
      return [JSON.parse(text).workflowExecutionInfo.memo.fields.k, text.includes('\n')];
    };
    assert.deepEqual(await memoOf(WORKFLOW), ['v', false]);
    assert.deepEqual(await memoOf(`${WORKFLOW}?pretty`), ['v', true]);
    assert.deepEqual(await memoOf(`${WORKFLOW}?noPayloadShorthand`), [payload, false]);
    const accept = 'application/json+pretty+no-payload-shorthand';
    assert.deepEqual(await memoOf(WORKFLOW, { accept }), [payload, true]);
    assert.deepEqual(await memoOf(WORKFLOW, { 'content-type': 'application/json+no-payload-shorthand' }), [
      payload,
      false,
    ]);
  });

  test(`${version}: a caller that goes away cancels the engine's call`, async (t) => {
    const fixture = await startGatewayFixture(t);
    const reached = Promise.withResolvers<void>();
    fixture.answer = () => {
      reached.resolve();
      return new Promise(() => undefined);
    };
    const asked = speak(t, fixture, WORKFLOW, { headers: { 'x-test': 'leave' } }).catch(() => undefined);
    await reached.promise;
    leave?.();
    await asked;
    while (fixture.events.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(fixture.events[0]?.outcome, 'cancelled');
  });
}

test('page tokens leave bound and come back through the same door (T-044)', async (t) => {
  const fixture = await startGatewayFixture(t);
  const path = `/namespaces/${NAMESPACE}/workflows`;
  fixture.answer = () => ({ reply: { nextPageToken: base64('engine page') } });
  const { nextPageToken } = JSON.parse((await speakHttp1(t, fixture, path)).text);
  assert.notEqual(nextPageToken, base64('engine page'));
  await speakHttp1(t, fixture, `${path}?nextPageToken=${encodeURIComponent(nextPageToken)}`);
  assert.equal(fixture.asked[1]?.request['nextPageToken'], base64('engine page'));
  const forged = await speakHttp1(t, fixture, `${path}?nextPageToken=${base64('engine page')}`);
  assert.equal(forged.status, 400);
});

test('GetClusterInfo is answered by the gateway', async (t) => {
  const fixture = await startGatewayFixture(t);
  assert.deepEqual(JSON.parse((await speakHttp1(t, fixture, '/cluster')).text), { clusterName: 'gatehouse' });
  assert.deepEqual(fixture.asked, []);
});

const smuggled: readonly (readonly [string, string])[] = [
  ['both lengths', 'content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['two lengths', 'content-length: 5\r\ncontent-length: 6\r\n\r\n{}'],
  ['an unknown transfer encoding', 'transfer-encoding: xchunked\r\n\r\n'],
  ['a folded header', 'x: a\r\n b\r\n\r\n'],
  ['a space before the colon', 'transfer-encoding : chunked\r\n\r\n'],
  ['a bare CR', 'x: a\rb\r\n\r\n'],
];
for (const [name, rest] of smuggled) {
  test(`T-029 HTTP/1.1 with ${name} is no request`, async (t) => {
    const fixture = await startGatewayFixture(t);
    const text = await raw(t, fixture, `POST ${WORKFLOW} HTTP/1.1\r\nhost: ${HOST}\r\n${rest}`);
    assert.match(text, /^HTTP\/1\.1 400 /);
    assert.deepEqual(fixture.asked, []);
  });
}

test('T-029 HTTP/1.1 with two hosts, without one or with a whole URL is refused', async (t) => {
  const fixture = await startGatewayFixture(t);
  const two = `GET ${WORKFLOW} HTTP/1.1\r\nhost: ${HOST}\r\nHost: billing.acme2.${DOMAIN}\r\nconnection: close\r\n\r\n`;
  assert.match(await raw(t, fixture, two), /^HTTP\/1\.1 400 /);
  assert.match(await raw(t, fixture, `GET ${WORKFLOW} HTTP/1.1\r\n\r\n`), /^HTTP\/1\.1 400 /);
  const absolute = `GET https://${HOST}${WORKFLOW} HTTP/1.1\r\nhost: ${HOST}\r\nconnection: close\r\n\r\n`;
  assert.match(await raw(t, fixture, absolute), /^HTTP\/1\.1 400 /);
});

test('T-026 too many headers, or too many bytes of them, are refused', async (t) => {
  const fixture = await startGatewayFixture(t);
  const lines = Array.from({ length: 130 }, (_, index) => `x-${index}: 1\r\n`).join('');
  const many = `GET ${WORKFLOW} HTTP/1.1\r\nhost: ${HOST}\r\nconnection: close\r\n${lines}\r\n`;
  assert.match(await raw(t, fixture, many), /^HTTP\/1\.1 400 /);
  const large = `GET ${WORKFLOW} HTTP/1.1\r\nhost: ${HOST}\r\nx: ${'a'.repeat(70_000)}\r\n\r\n`;
  assert.match(await raw(t, fixture, large), /^HTTP\/1\.1 431 /);
});

test('a client that asks before it sends is told to go on, and one with too much is not', async (t) => {
  const fixture = await startGatewayFixture(t);
  const head = (length: number): string =>
    `POST ${WORKFLOW} HTTP/1.1\r\nhost: ${HOST}\r\nexpect: 100-continue\r\ncontent-length: ${length}\r\n\r\n`;
  assert.match(await raw(t, fixture, head(9_000_000)), /^HTTP\/1\.1 413 /);
  const socket = await dial(t, fixture);
  socket.write(head(2));
  assert.match(String(await once(socket, 'data')), /^HTTP\/1\.1 100 /);
  socket.write('{}');
  assert.match(String(await once(socket, 'data')), /^HTTP\/1\.1 200 /);
});

test('a connection carries several requests, and closes once the gateway drains', async (t) => {
  const fixture = await startGatewayFixture(t);
  const socket = await dial(t, fixture);
  const get = `GET ${WORKFLOW} HTTP/1.1\r\nhost: ${HOST}\r\n\r\n`;
  socket.write(get + get);
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  while (text.split('HTTP/1.1 200').length < 3) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(fixture.gateway.openConnections(), 1);
  await Promise.all([once(socket, 'close'), fixture.gateway.drain(2000)]);
  assert.equal(fixture.gateway.openConnections(), 0);
});

test('T-028 a hundred requests of one connection may be under way, and more are refused', async (t) => {
  const fixture = await startGatewayFixture(t);
  fixture.answer = () => new Promise(() => undefined);
  const socket = await dial(t, fixture);
  socket.write(`GET ${WORKFLOW} HTTP/1.1\r\nhost: ${HOST}\r\n\r\n`.repeat(120));
  while (fixture.events.length < 20 || fixture.asked.length < 100)
    await new Promise((resolve) => setImmediate(resolve));
  assert.ok(fixture.events.every((event) => event.reason === 'stream_limit'));
  socket.destroy();
  while (fixture.events.length < 120) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(fixture.asked.length, 100);
});

let leave: (() => void) | undefined;

async function dial(t: TestContext, fixture: GatewayFixture): Promise<TLSSocket> {
  const socket = connectTls({ ...fixture.client, ...fixture.gateway.https, ALPNProtocols: ['http/1.1'] });
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

async function raw(t: TestContext, fixture: GatewayFixture, bytes: string): Promise<string> {
  const socket = await dial(t, fixture);
  socket.write(bytes);
  return String((await once(socket, 'data'))[0]);
}

function speakHttp1(
  _t: TestContext,
  fixture: GatewayFixture,
  path: string,
  asking: Asking = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = asking;
    const req = httpsRequest({
      ...fixture.client,
      ...fixture.gateway.https,
      agent: false,
      method,
      path,
      headers: { host: HOST, ...headers },
    });
    req.on('error', reject);
    req.on('response', (res) => {
      let text = '';
      res.on('data', (chunk: Buffer) => {
        text += chunk;
      });
      res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, text }));
    });
    leave = () => req.destroy();
    req.end(body);
  });
}

function speakHttp2(
  t: TestContext,
  fixture: GatewayFixture,
  path: string,
  asking: Asking = {},
): Promise<Answer> {
  const { method = 'GET', headers: { host = HOST, ...headers } = {}, body } = asking;
  const session = connectHttp2(`https://${HOST}`, {
    createConnection: () =>
      connectTls({ ...fixture.client, ...fixture.gateway.https, ALPNProtocols: ['h2'] }),
  });
  t.after(() => session.destroy());
  return new Promise((resolve, reject) => {
    session.on('error', reject);
    const stream = session.request({
      ':method': method,
      ':path': path,
      ':authority': String(host),
      ...headers,
    });
    let text = '';
    stream.on('error', reject);
    stream.on('data', (chunk: Buffer) => {
      text += chunk;
    });
    stream.on('response', (answered) => {
      stream.on('end', () => resolve({ status: Number(answered[':status']), headers: answered, text }));
    });
    leave = () => session.destroy(new Error('left'));
    stream.end(body);
  });
}
