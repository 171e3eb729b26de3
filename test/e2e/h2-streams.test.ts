import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, afterEach, before, describe, test } from 'node:test';
import { connect } from 'node:tls';
import { endsConnection, H2, many, openNeighbour } from './h2-attack.ts';
import { type Field, Flag, FrameType, frame, literals, settings, word } from './h2-frames.ts';
import { callFields, callHead, codeOf, emptyMessage, type H2Peer, openPeer, tlsOf } from './h2-peer.ts';
import { type GatewayState, type H2Site, startH2Site } from './h2-site.ts';

// threats.md T-028 to T-030: streams that wait for somebody, and requests that two readers would read differently.
// Time passes as the test says: the gateway's own clock jumps.

let site: H2Site;
before(async () => {
  site = await startH2Site();
});
after(() => site.close());
afterEach(async () => {
  await site.ask({ replyBytes: 0 });
  const neighbour = openNeighbour(site);
  await neighbour.call();
  neighbour.close();
  await site.until(({ connections }) => connections === 0, 'every connection has gone');
});

/** Lets time pass, again and again, until what a test expects has happened. */
async function passUntil(ms: number, expected: (state: GatewayState) => boolean): Promise<GatewayState> {
  for (let passed = 0; passed < 3; passed += 1) {
    await site.ask({ passMs: ms });
    // The gateway looks at its connections once a second of real time.
    for (const endsAt = performance.now() + 2500; performance.now() < endsAt; ) {
      const state = await site.ask();
      if (expected(state)) return state;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  return assert.fail(`it did not happen: ${JSON.stringify((await site.ask()).counts)}`);
}

const isGoaway = ({ type }: { type: number }): boolean => type === FrameType.goaway;
const isReset = ({ type }: { type: number }): boolean => type === FrameType.rstStream;

describe('T-028a slow senders and slow readers', () => {
  test('T-028a a message that does not come is not waited for, whether it began or not', async () => {
    await site.ask({ reset: true });
    const peer = await openPeer(site);
    await peer.send(
      callHead(site, 1, 'GetSystemInfo'),
      callHead(site, 3, 'GetSystemInfo'),
      frame(FrameType.data, 0, 3, Buffer.of(0, 0)),
    );
    const state = await passUntil(31_000, ({ counts }) => counts['call error deadline_exceeded'] === 2);
    assert.equal(state.engineSaw, 0);
    // The answer is the end of our side, and the stream is ended for the client in time.
    for (const streamId of [1, 3]) {
      const answer = await peer.next((each) => each.type === FrameType.headers && each.streamId === streamId);
      assert.equal((answer?.flags ?? 0) & Flag.endStream, Flag.endStream);
    }
    peer.close();
  });

  test('T-028a an answer that nobody reads is given up, and its stream reset', async () => {
    await site.ask({ reset: true, replyBytes: 256 * 1024 });
    // No window: not a byte of an answer can be sent.
    const peer = await openPeer(site, { first: settings([[4, 0]]) });
    await peer.send(callHead(site, 1, 'GetSystemInfo'), emptyMessage(1));
    const state = await passUntil(70_000, ({ counts }) => counts['connection refused answer_unread'] === 1);
    assert.equal(state.counts['call ok ok'], 1);
    assert.equal(codeOf(await peer.next(isReset)), 8);
    peer.close();
  });

  test('T-028a answers that wait for their reader are bounded: further calls are refused', async () => {
    const before = await site.ask({ reset: true, replyBytes: 3 * 1024 * 1024 });
    const peer = await openPeer(site, { first: settings([[4, 0]]) });
    for (let call = 0; call < 200; call += 10) {
      await peer.send(
        many(10, (index) => {
          const streamId = 2 * (call + index) + 1;
          return Buffer.concat([callHead(site, streamId, 'GetSystemInfo'), emptyMessage(streamId)]);
        }),
      );
    }
    const refused = 'call refused namespace_memory_limit';
    const state = await site.until(
      ({ counts }) => (counts[refused] ?? 0) + (counts['call ok ok'] ?? 0) === 200,
    );
    assert.ok((state.counts[refused] ?? 0) > 0, JSON.stringify(state.counts));
    // The limit of a namespace is 256 MiB of unread answers.
    const heldMib = (state.heapBytes - before.heapBytes) / 1024 / 1024;
    assert.ok(heldMib < 300, `${heldMib} MiB`);
    peer.close();
  });
});

describe('T-028b too many streams, and connections that do nothing', () => {
  test('T-028b a client that has not seen the limit yet gets REFUSED_STREAM, without work', async () => {
    await site.ask({ reset: true });
    const peer = await openPeer(site, { acknowledges: false });
    await peer.send(many(1003, (index) => callHead(site, 2 * index + 1, 'GetSystemInfo')));
    const reset = await peer.next(isReset);
    assert.deepEqual([reset?.streamId, codeOf(reset)], [2001, H2.refusedStream]);
    const state = await site.ask();
    assert.equal(state.engineSaw, 0);
    assert.equal(peer.frames.some(isGoaway), false);
    peer.close();
    await site.until(
      ({ counts }) => counts['call cancelled cancelled'] === 1000,
      'the streams that were taken',
    );
  });

  test('T-028b a client that has acknowledged the limit and passes it breaks the protocol', async () => {
    await endsConnection(site, { code: H2.protocolError, reason: 'http2_protocol_error' }, async (peer) => {
      await peer.acknowledged;
      await peer.send(many(1003, (index) => callHead(site, 2 * index + 1, 'GetSystemInfo')));
    });
  });

  test('T-028b a connection without a call gets GOAWAY(NO_ERROR) after two minutes, one with a parked poll does not', async () => {
    await site.ask({ reset: true });
    const idle = await openPeer(site);
    const polling = await openPeer(site);
    await polling.send(callHead(site, 1, 'PollWorkflowTaskQueue'), emptyMessage(1));
    await site.until(({ engineOpen }) => engineOpen === 1, 'the poll');
    // The poll's own deadline is 150 s.
    await passUntil(121_000, ({ connections }) => connections === 1);
    assert.equal(codeOf(await idle.next(isGoaway)), H2.noError);
    assert.equal(polling.frames.some(isGoaway), false);
    assert.deepEqual((await site.ask()).counts, {}, 'nothing was refused');
    polling.close();
  });

  test('T-028b a client that does not hang up after the last GOAWAY is cut off', async () => {
    const peer = await openPeer(site, { tls: { allowHalfOpen: true } as object });
    await passUntil(121_000, ({ connections }) => connections === 0);
    peer.close();
  });

  test('T-028b a connection that sends nothing after its handshake is closed', async () => {
    await site.ask({ reset: true });
    const socket = connect(tlsOf(site));
    socket.on('error', () => undefined).resume();
    await once(socket, 'secureConnect');
    const local = `${socket.localAddress}:${socket.localPort}`;
    const state = await passUntil(11_000, ({ counts }) => counts['connection refused http2_silent'] === 1);
    assert.equal(state.events.at(-1)?.peer, local);
    if (!socket.closed) await once(socket, 'close');
  });

  test('T-028b the goodbye of Go and Java clients, a GOAWAY for the highest stream there is, is no fault', async () => {
    await site.ask({ reset: true });
    const peer = await openPeer(site);
    await answers(peer, 1);
    await peer.next(({ type, flags }) => type === FrameType.headers && (flags & Flag.endStream) !== 0);
    await peer.send(frame(FrameType.goaway, 0, 0, Buffer.concat([word(0x7fffffff), word(0)])));
    await peer.ended;
    const state = await site.until(({ connections }) => connections === 0, 'it goes');
    assert.deepEqual(state.counts, { 'call ok ok': 1 });
  });

  test('T-028b a stream that is answered and that its client keeps half open is ended', async () => {
    await site.ask({ reset: true });
    const peer = await openPeer(site);
    await peer.send(callHead(site, 1, 'GetSystemInfo', [['grpc-timeout', 'soon']]));
    await passUntil(11_000, () => peer.frames.some(isReset));
    const reset = await peer.next(isReset);
    assert.deepEqual([reset?.streamId, codeOf(reset)], [1, H2.noError]);
    peer.close();
  });
});

describe('T-029 requests that two readers would read differently', () => {
  const withPseudo = (name: string, value: string | undefined): Field[] =>
    callFields(site, 'GetSystemInfo').flatMap((field): Field[] => {
      if (field[0] !== name) return [field];
      return value === undefined ? [] : [[name, value]];
    });
  const also = (...more: Field[]): Field[] => callFields(site, 'GetSystemInfo', more);
  const smuggled: readonly (readonly [string, () => Field[]])[] = [
    ['transfer-encoding', () => also(['transfer-encoding', 'chunked'])],
    ['connection', () => also(['connection', 'keep-alive'])],
    ['keep-alive', () => also(['keep-alive', 'timeout=5'])],
    ['proxy-connection', () => also(['proxy-connection', 'x'])],
    ['upgrade', () => also(['upgrade', 'h2c'])],
    ['te other than trailers', () => also(['te', 'gzip'])],
    ['a second :path', () => also([':path', '/admin'])],
    ['a pseudo-header after a regular one', () => [['x-first', 'x'], ...callFields(site, 'GetSystemInfo')]],
    ['an unknown pseudo-header', () => [[':admin', 'x'], ...callFields(site, 'GetSystemInfo')]],
    ['a pseudo-header of answers', () => [[':status', '200'], ...callFields(site, 'GetSystemInfo')]],
    ['an upper-case name', () => also(['Temporal-Namespace', 'billing.other1'])],
    ['no :path', () => withPseudo(':path', undefined)],
    ['an empty :path', () => withPseudo(':path', '')],
    ['no :method', () => withPseudo(':method', undefined)],
    ['no :scheme', () => withPseudo(':scheme', undefined)],
    ['CR and LF in :path', () => withPseudo(':path', '/x\r\nhost: y')],
    ['NUL in :authority', () => withPseudo(':authority', 'a\0b')],
    ['a content-length that is too long', () => also(['content-length', '6'])],
    ['a content-length that is negative', () => also(['content-length', '-5'])],
    ['two content-lengths', () => also(['content-length', '5'], ['content-length', '6'])],
    [
      'CONNECT',
      () => [
        [':method', 'CONNECT'],
        [':authority', 'a:443'],
      ],
    ],
    ['extended CONNECT', () => [[':protocol', 'websocket'], ...withPseudo(':method', 'CONNECT')]],
  ];

  test('T-029 each of them resets its stream with PROTOCOL_ERROR, and the engine hears of none', async (t) => {
    for (const [what, fields] of smuggled) {
      await t.test(`T-029 ${what}`, async () => {
        await site.ask({ reset: true });
        const peer = await openPeer(site);
        await peer.send(frame(FrameType.headers, Flag.endHeaders, 1, literals(fields())), emptyMessage(1));
        const reset = await peer.next((each) => isReset(each) || (isGoaway(each) && codeOf(each) !== 0));
        assert.deepEqual([reset?.type, codeOf(reset)], [FrameType.rstStream, H2.protocolError]);
        await answers(peer, 3);
        assert.equal((await site.ask()).engineSaw, 1, 'the good call alone');
        peer.close();
      });
    }
  });

  for (const [what, length] of [
    ['longer', '4'],
    ['shorter', '6'],
  ] as const) {
    test(`T-029 a body that is ${what} than its content-length is reset, and the connection goes on`, async () => {
      await site.ask({ reset: true });
      const peer = await openPeer(site);
      await peer.send(callHead(site, 1, 'GetSystemInfo', [['content-length', length]]), emptyMessage(1));
      const reset = await peer.next(isReset);
      assert.equal(codeOf(reset), H2.protocolError);
      await answers(peer, 3);
      assert.equal((await site.ask()).engineSaw, 1, 'the good call alone');
      peer.close();
    });
  }

  test('T-029 CR, LF and NUL in the value of a header: the header is as if it had not been sent', async () => {
    await site.ask({ reset: true });
    const peer = await openPeer(site);
    // Were it read up to the line's end, the call would be for a neighbour, and refused.
    for (const [index, value] of [
      'billing.other1\r\nx: y',
      'billing.other1\n',
      'billing.other1\0',
    ].entries()) {
      await answers(peer, 2 * index + 1, [['temporal-namespace', value]]);
    }
    assert.equal((await site.ask()).counts['call ok ok'], 3);
    peer.close();
  });

  test('T-029b PUSH_PROMISE from a client gets GOAWAY(PROTOCOL_ERROR)', async () => {
    await endsConnection(site, { code: H2.protocolError, reason: 'http2_protocol_error' }, (peer) =>
      peer.send(
        callHead(site, 1, 'GetSystemInfo'),
        frame(
          FrameType.pushPromise,
          Flag.endHeaders,
          1,
          Buffer.concat([word(2), literals(callFields(site, 'GetSystemInfo'))]),
        ),
      ),
    );
  });

  test('T-029b an upgrade to h2c is no preface: the connection ends', async () => {
    await site.ask({ reset: true });
    const socket = connect(tlsOf(site));
    socket.on('error', () => undefined).resume();
    await once(socket, 'secureConnect');
    socket.write(
      'GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n',
    );
    await once(socket, 'close');
    const state = await site.until(({ counts }) => counts['connection refused http2_protocol_error'] === 1);
    assert.equal(state.engineSaw, 0);
  });
});

describe('T-030 names that are special in JavaScript', () => {
  test('T-030a they are data, also twice, and integer-like names cost no more than others', async () => {
    await site.ask({ reset: true });
    const peer = await openPeer(site);
    await answers(
      peer,
      1,
      ['__proto__', 'constructor', 'hasownproperty', 'tostring', '__proto__'].map(
        (name): Field => [name, 'x'],
      ),
    );
    let streamId = 1;
    const cost = async (name: (index: number) => string): Promise<number> => {
      const before = await site.ask();
      for (let call = 1; call <= 100; call += 1) {
        streamId += 2;
        const names = Array.from({ length: 110 }, (_, index): Field => [name(call * 110 + index), 'x']);
        await answers(peer, streamId, names);
      }
      return (await site.ask()).cpuMs - before.cpuMs;
    };
    const ordinary = await cost((index) => `x${index * 65_536}`);
    const integers = await cost((index) => String(index * 65_536));
    // Equal but for what else happened: a chain of collisions is many times as long.
    assert.ok(integers < 4 * ordinary, `${integers} ms of CPU instead of ${ordinary}`);
    const state = await site.ask();
    assert.deepEqual([state.engineSaw, state.counts['call ok ok']], [201, 201]);
    peer.close();
  });
});

/** A good call on this stream gets its answer. */
async function answers(peer: H2Peer, streamId: number, more: readonly Field[] = []): Promise<void> {
  await peer.send(callHead(site, streamId, 'GetSystemInfo', more), emptyMessage(streamId));
  const data = await peer.next((each) => each.type === FrameType.data && each.streamId === streamId);
  assert.ok(data, `an answer on stream ${streamId}`);
}
