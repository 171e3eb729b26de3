import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from 'node:http2';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { GrpcStatus } from '#base/model/grpc-status';
import { toFrame } from '#base/wire/grpc-message';
import { type GatewayFixture, HOST, NAMESPACE, startGatewayFixture } from './gateway-fixture.test.ts';

const PATH = '/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace';

interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly engineSaw: number;
  readonly http: number;
}

/** One gateway for a test, asked with many heads. */
async function openDoor(t: TestContext) {
  const fixture = await startGatewayFixture(t);
  const session = connect(`https://${HOST}`, {
    createConnection: () => connectTls({ ...fixture.client, ...fixture.gateway.grpc, ALPNProtocols: ['h2'] }),
  });
  t.after(() => session.destroy());
  await once(session, 'connect');
  return { fixture, ask: (headers: OutgoingHttpHeaders) => ask(session, fixture, headers) };
}

async function ask(
  session: ClientHttp2Session,
  fixture: GatewayFixture,
  headers: OutgoingHttpHeaders,
): Promise<Answer> {
  const before = fixture.asked.length;
  const stream = session.request({
    ':method': 'POST',
    ':path': PATH,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  let status = -1;
  let http = -1;
  const read = (received: Record<string, unknown>): void => {
    if (received[':status'] !== undefined) http = Number(received[':status']);
    if (received['grpc-status'] !== undefined) status = Number(received['grpc-status']);
  };
  stream.on('response', read).on('trailers', read);
  stream.on('error', () => undefined);
  stream.end(toFrame(Buffer.from(`\n\x0c${NAMESPACE}`, 'latin1')));
  stream.resume();
  await once(stream, 'close');
  return {
    status,
    reason: fixture.events.at(-1)?.reason ?? '',
    engineSaw: fixture.asked.length - before,
    http,
  };
}

const passed: Answer = { status: GrpcStatus.OK, reason: 'ok', engineSaw: 1, http: 200 };
const refused = (status: number, reason: string): Answer => ({ status, reason, engineSaw: 0, http: 200 });

test('T-038 a malformed or repeated grpc-timeout is refused before the engine sees the call', async (t) => {
  const { ask } = await openDoor(t);
  const malformed = refused(GrpcStatus.INVALID_ARGUMENT, 'timeout_malformed');
  for (const timeout of ['', '-1S', '1', '123456789S', '1 S', '1s', 'x', ['1S', '2S'], ['1S', '1S']]) {
    assert.deepEqual(await ask({ 'grpc-timeout': timeout }), malformed, String(timeout));
  }
  assert.deepEqual(await ask({ 'grpc-timeout': '10S' }), passed);
});

test('T-038 the engine is never given longer than the client waits', async (t) => {
  const { fixture, ask } = await openDoor(t);
  await ask({ 'grpc-timeout': '7S' });
  const timeout = String(fixture.asked.at(-1)?.headers['grpc-timeout']);
  assert.match(timeout, /^\d+m$/);
  assert.ok(Number.parseInt(timeout, 10) <= 7000);
});

test('T-032 an encoding that is not known, or named twice, is refused', async (t) => {
  const { ask } = await openDoor(t);
  const unknown = refused(GrpcStatus.UNIMPLEMENTED, 'encoding_unknown');
  for (const encoding of ['deflate', 'snappy', 'zstd', 'GZIP', '', ['identity', 'gzip'], ['gzip', 'gzip']]) {
    assert.deepEqual(await ask({ 'grpc-encoding': encoding }), unknown, String(encoding));
  }
  for (const encoding of ['identity', 'gzip'])
    assert.deepEqual(await ask({ 'grpc-encoding': encoding }), passed);
});

/** By PROTOCOL-HTTP2 a sub-format and parameters may follow; the engine speaks protobuf, and so does whoever calls it. */
const served = [
  'application/grpc',
  'application/grpc+proto',
  'application/grpc;charset=utf-8',
  'application/grpc+proto; charset=utf-8; x="y"',
  'application/grpc ; x=y',
];
const notServed = [
  ...['', 'text/plain', 'application/json', 'image/jpeg', 'Application/GRPC', ' application/grpc'],
  ...['application/grpc+foo', 'application/grpc+json', 'application/grpc+', 'application/grpc+protobuf'],
  ...['application/grpc-web', 'application/grpc-web+proto', 'application/grpc-web-text', 'application/grpcx'],
  ...[
    'application/grpc+proto2',
    'application/grpc proto',
    'application/grpc,application/grpc',
    'application/grp',
  ],
];

test('a content type that is not of gRPC over protobuf is refused with HTTP 415, also at our own services', async (t) => {
  const { ask } = await openDoor(t);
  const unknown = { ...refused(GrpcStatus.INTERNAL, 'content_type_unknown'), http: 415 };
  for (const path of [
    PATH,
    '/grpc.health.v1.Health/Check',
    '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  ]) {
    for (const type of notServed)
      assert.deepEqual(await ask({ ':path': path, 'content-type': type }), unknown, `${path} ${type}`);
  }
  // Whatever else is wrong: who does not speak gRPC reads the HTTP status alone.
  const more = { 'content-type': 'text/plain', 'grpc-timeout': 'x', 'grpc-encoding': 'zstd' };
  assert.deepEqual(await ask(more), unknown);
  for (const type of served) assert.deepEqual(await ask({ 'content-type': type }), passed, type);
});

test('a method other than POST is refused', async (t) => {
  const { ask } = await openDoor(t);
  assert.deepEqual(await ask({ ':method': 'PUT' }), refused(GrpcStatus.INTERNAL, 'content_type_unknown'));
});

test('T-019 every temporal-namespace header that was sent counts, not the one that the runtime keeps', async (t) => {
  const { ask } = await openDoor(t);
  const ambiguous = refused(GrpcStatus.INVALID_ARGUMENT, 'header_ambiguous');
  for (const values of [
    [NAMESPACE, 'billing.other'],
    ['billing.other', NAMESPACE],
    [NAMESPACE, ''],
    `${NAMESPACE}, billing.other`,
  ]) {
    assert.deepEqual(await ask({ 'temporal-namespace': values }), ambiguous, String(values));
  }
  assert.deepEqual(await ask({ 'temporal-namespace-bin': 'b3JkZXJz' }), ambiguous);
  const foreign = refused(GrpcStatus.PERMISSION_DENIED, 'namespace_mismatch');
  for (const value of ['billing.other', '', `${NAMESPACE.toUpperCase()}`, `${NAMESPACE}.`]) {
    assert.deepEqual(await ask({ 'temporal-namespace': value }), foreign, value);
  }
  assert.deepEqual(await ask({ 'temporal-namespace': NAMESPACE }), passed);
  assert.deepEqual(await ask({ 'temporal-namespace': [NAMESPACE, NAMESPACE] }), passed);
});

test('T-030 header names that are special in JavaScript are data', async (t) => {
  const { ask } = await openDoor(t);
  const names = ['__proto__', 'constructor', 'hasownproperty', 'tostring', '0', '-1'];
  const headers = Object.fromEntries(names.map((name) => [name, 'x']));
  // Own properties: an object literal would take the first one as its prototype.
  assert.ok(Object.hasOwn(headers, '__proto__'));
  assert.deepEqual(await ask(headers), passed);
});

test('T-018 of the metadata, the engine gets what tells of the client, and nothing that it would trust', async (t) => {
  const { fixture, ask } = await openDoor(t);
  const trusted = {
    'caller-type': 'preemptable',
    'caller-name': 'system',
    'call-initiation': 'x',
    'xdc-redirection': 'true',
    'temporal-experiment': '*',
    'temporal-principal-name': 'root',
    'authorization-extras': 'x',
    'x-unheard-of': 'x',
  };
  const client = { 'client-name': 'temporal-go', 'client-version': '1.50.0', traceparent: '00-1-2-01' };
  assert.deepEqual(await ask({ ...trusted, ...client, authorization: 'Bearer mine' }), passed);
  const headers = fixture.asked.at(-1)?.headers ?? {};
  for (const [name, value] of Object.entries(client)) assert.equal(headers[name], value);
  for (const name of Object.keys(trusted)) assert.equal(headers[name], undefined, name);
  assert.equal(String(headers['authorization']).startsWith(`Bearer ${NAMESPACE} `), true);
});

test('metadata that is too long or sent twice is left out, and the call goes on', async (t) => {
  const { fixture, ask } = await openDoor(t);
  const sent = { 'client-name': 'x'.repeat(257), 'supported-features': 'y'.repeat(256) };
  assert.deepEqual(await ask(sent), passed);
  const headers = fixture.asked.at(-1)?.headers ?? {};
  assert.equal(headers['client-name'], undefined);
  assert.equal(headers['supported-features'], sent['supported-features']);
});
