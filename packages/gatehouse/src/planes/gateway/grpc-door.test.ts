import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { toFrame } from '#base/wire/grpc-message';
import { type GatewayFixture, HOST, startGatewayFixture } from './gateway-fixture.test.ts';

const PATH = '/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo';

for (const [what, sent] of [
  ['before its first byte', Buffer.alloc(0)],
  ['in the middle of its prefix', Buffer.from([0, 0, 0])],
  ['in the middle of its message', Buffer.from([0, 0, 0, 0, 9, 1, 2])],
] as const) {
  test(`a call cut ${what} is recorded as cancelled, not as malformed`, async (t) => {
    const fixture = await startGatewayFixture(t);
    const session = await dial(t, fixture);
    const cut = request(session);
    if (sent.length > 0) await new Promise((resolve) => cut.write(sent, resolve));
    // A ping is answered in order: the gateway has read the head of the call by then.
    await new Promise((resolve) => session.ping(resolve));
    cut.close(constants.NGHTTP2_CANCEL);
    await once(cut, 'close');
    // Streams are served in order: once this one is answered, the cut one is over and recorded.
    const next = request(session);
    next.end(toFrame(Buffer.alloc(0)));
    next.resume();
    await once(next, 'close');
    assert.deepEqual(
      fixture.events.map(({ outcome, reason }) => [outcome, reason]),
      [
        ['cancelled', 'cancelled'],
        ['ok', 'ok'],
      ],
    );
    assert.equal(fixture.asked.length, 1);
  });
}

test('a call that ends without a message, or in the middle of one, is malformed', async (t) => {
  const fixture = await startGatewayFixture(t);
  const session = await dial(t, fixture);
  for (const body of [Buffer.alloc(0), Buffer.from([0, 0, 0, 0, 9, 1, 2])]) {
    const stream = request(session);
    stream.end(body);
    stream.resume();
    await once(stream, 'close');
  }
  assert.deepEqual(
    fixture.events.map(({ outcome, reason }) => [outcome, reason]),
    [
      ['refused', 'frame_malformed'],
      ['refused', 'frame_malformed'],
    ],
  );
});

function request(session: ClientHttp2Session) {
  const stream = session.request({
    ':method': 'POST',
    ':path': PATH,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  return stream.on('error', () => undefined);
}

async function dial(t: TestContext, fixture: GatewayFixture): Promise<ClientHttp2Session> {
  const session = connect(`https://${HOST}`, {
    createConnection: () => connectTls({ ...fixture.client, ...fixture.gateway.grpc, ALPNProtocols: ['h2'] }),
  });
  t.after(() => session.destroy());
  await once(session, 'connect');
  return session;
}
