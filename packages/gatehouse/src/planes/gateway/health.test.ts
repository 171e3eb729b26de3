import assert from 'node:assert/strict';
import { type ClientHttp2Session, connect } from 'node:http2';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { toFrame } from '#base/wire/grpc-message';
import { type GatewayFixture, HOST, startGatewayFixture } from './gateway-fixture.test.ts';

const WORKFLOW_SERVICE = 'temporal.api.workflowservice.v1.WorkflowService';

test('Check says SERVING for the gateway and for WorkflowService while the engine is well', async (t) => {
  const fixture = await startGatewayFixture(t);
  const session = await dial(t, fixture);
  for (const service of ['', WORKFLOW_SERVICE]) {
    const { messages, status } = await call(session, 'Check', service).ended;
    assert.deepEqual(messages, [Buffer.from([0x08, 1])]);
    assert.equal(status, '0');
  }
  assert.deepEqual(
    fixture.events.map((event) => [event.method, event.outcome, event.namespace]),
    [
      ['grpc.health.v1.Health/Check', 'ok', 'orders.acme1'],
      ['grpc.health.v1.Health/Check', 'ok', 'orders.acme1'],
    ],
  );
});

test('Check says NOT_SERVING while the engine is not there', async (t) => {
  const fixture = await startGatewayFixture(t);
  fixture.healthy = false;
  const { messages } = await call(await dial(t, fixture), 'Check', '').ended;
  assert.deepEqual(messages, [Buffer.from([0x08, 2])]);
});

test('Check of a service that is not served here is NOT_FOUND', async (t) => {
  const session = await dial(t, await startGatewayFixture(t));
  const { messages, status } = await call(
    session,
    'Check',
    'temporal.server.api.adminservice.v1.AdminService',
  ).ended;
  assert.deepEqual(messages, []);
  assert.equal(status, '5');
});

test('Watch tells at once and again when it changes, and ends when the gateway drains', async (t) => {
  const fixture = await startGatewayFixture(t);
  const session = await dial(t, fixture);
  const watch = call(session, 'Watch', '');
  await watch.message(0);
  fixture.healthy = false;
  await watch.message(1);
  const drained = fixture.gateway.drain(5000);
  const { messages, status } = await watch.ended;
  await drained;
  assert.deepEqual(messages, [Buffer.from([0x08, 1]), Buffer.from([0x08, 2])]);
  assert.equal(status, '14');
});

test('T-031 a health request that is too large, compressed or missing is refused', async (t) => {
  const session = await dial(t, await startGatewayFixture(t));
  const large = await callRaw(session, 'Check', toFrame(Buffer.alloc(5000))).ended;
  assert.equal(large.status, '8');
  const compressed = await callRaw(session, 'Check', Buffer.from([1, 0, 0, 0, 0])).ended;
  assert.equal(compressed.status, '12');
  const none = await callRaw(session, 'Check', Buffer.alloc(0)).ended;
  assert.equal(none.status, '13');
  const two = await callRaw(
    session,
    'Check',
    Buffer.concat([toFrame(Buffer.alloc(0)), toFrame(Buffer.alloc(0))]),
  ).ended;
  assert.equal(two.status, '8');
});

async function dial(t: TestContext, fixture: GatewayFixture): Promise<ClientHttp2Session> {
  const session = connect(`https://${HOST}`, {
    createConnection: () => connectTls({ ...fixture.client, ...fixture.gateway.grpc, ALPNProtocols: ['h2'] }),
  });
  t.after(() => session.destroy());
  await new Promise((resolve, reject) => session.once('connect', resolve).once('error', reject));
  return session;
}

interface Calling {
  /** Resolves when this many messages have come before it. */
  message(index: number): Promise<void>;
  readonly ended: Promise<{ readonly messages: Buffer[]; readonly status: string }>;
}

function call(session: ClientHttp2Session, method: string, service: string): Calling {
  const name = Buffer.from(service);
  return callRaw(
    session,
    method,
    toFrame(service === '' ? name : Buffer.concat([Buffer.from([0x0a, name.length]), name])),
  );
}

function callRaw(session: ClientHttp2Session, method: string, body: Buffer): Calling {
  const stream = session.request({
    ':method': 'POST',
    ':path': `/grpc.health.v1.Health/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.end(body);
  const messages: Buffer[] = [];
  let status = '';
  stream.on('response', (headers) => {
    status = String(headers['grpc-status'] ?? '');
  });
  stream.on('trailers', (trailers) => {
    status = String(trailers['grpc-status']);
  });
  stream.on('data', (chunk: Buffer) => {
    messages.push(chunk.subarray(5));
    stream.emit('answered');
  });
  return {
    async message(index) {
      while (messages.length <= index) await new Promise((resolve) => stream.once('answered', resolve));
    },
    ended: new Promise((resolve, reject) => {
      stream.on('end', () => setImmediate(() => resolve({ messages, status })));
      stream.on('error', reject);
    }),
  };
}
