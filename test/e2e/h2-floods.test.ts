import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { endsConnection, floodUntilClosed, H2, many, type Neighbour, openNeighbour } from './h2-attack.ts';
import {
  type Field,
  Flag,
  FrameType,
  frame,
  indexed,
  indexedLiteral,
  literals,
  rstStream,
  settings,
  tableSize,
  windowUpdate,
} from './h2-frames.ts';
import { callFields, callHead, codeOf, emptyMessage, openPeer } from './h2-peer.ts';
import { type H2Site, startH2Site } from './h2-site.ts';

// threats.md T-024 to T-027: floods of every kind of frame. The gateway runs in a process of its own, so that a crash
// of it is seen and its memory can be asked for.

let site: H2Site;
let neighbour: Neighbour;
before(async () => {
  site = await startH2Site();
  neighbour = openNeighbour(site);
  await neighbour.call();
});
after(async () => {
  neighbour.close();
  await site.close();
});
afterEach(async () => {
  // A refusal never ends another tenant's connection, nor the process.
  await neighbour.call();
});

const flood = { code: H2.enhanceYourCalm, reason: 'http2_flood' };
const ping = frame(FrameType.ping, 0, 0, Buffer.alloc(8));

describe('T-024 rapid reset', () => {
  test('T-024 streams that are reset before their message end the connection at 500, and the engine hears of none', async () => {
    const state = await endsConnection(site, { code: H2.enhanceYourCalm, reason: 'http2_resets' }, (peer) =>
      peer.send(
        many(600, (index) =>
          Buffer.concat([callHead(site, 2 * index + 1, 'GetSystemInfo'), rstStream(2 * index + 1)]),
        ),
      ),
    );
    const cancelled = state.counts['call cancelled cancelled'] ?? 0;
    assert.ok(cancelled > 500 && cancelled <= 600, `${cancelled} calls, each with a record`);
  });

  test('T-024 a reset without an error code counts as well', async () => {
    await endsConnection(site, { code: H2.enhanceYourCalm, reason: 'http2_resets' }, (peer) =>
      peer.send(
        many(600, (index) =>
          Buffer.concat([
            callHead(site, 2 * index + 1, 'GetSystemInfo'),
            rstStream(2 * index + 1, H2.noError),
          ]),
        ),
      ),
    );
  });

  test("T-024 100,000 streams on as many connections as it takes leave a neighbour's calls as they are", async () => {
    await site.ask({ reset: true });
    let sent = 0;
    let attacking = true;
    const attack = async (): Promise<void> => {
      while (sent < 100_000) {
        const peer = await openPeer(site);
        const chunk = many(500, (index) =>
          Buffer.concat([callHead(site, 2 * index + 1, 'GetSystemInfo'), rstStream(2 * index + 1)]),
        );
        const next = many(500, (index) =>
          Buffer.concat([callHead(site, 2 * index + 1001, 'GetSystemInfo'), rstStream(2 * index + 1001)]),
        );
        await peer.send(chunk);
        await peer.send(next);
        sent += 1000;
        peer.close();
      }
      attacking = false;
    };
    const done = attack();
    const times: number[] = [];
    while (attacking) times.push(await neighbour.call());
    await done;
    const state = await site.ask();
    assert.equal(state.engineSaw, times.length, 'what the engine saw besides the calls of the neighbour');
    // Each was answered OK within its deadline, or `call` had thrown; how quickly is the benchmark's to say.
    assert.ok(times.length > 0);
  });
});

describe('T-025 MadeYouReset', () => {
  test('T-025 resets that the client provokes end the connection at a hundred', async () => {
    // The message says five bytes, the length of the stream another: the gateway has to reset.
    const provoke = (streamId: number): Buffer =>
      Buffer.concat([
        callHead(site, streamId, 'GetSystemInfo', [['content-length', '7']]),
        emptyMessage(streamId),
      ]);
    const state = await endsConnection(site, flood, (peer) =>
      peer.send(many(110, (index) => provoke(2 * index + 1))),
    );
    const cancelled = state.counts['call cancelled cancelled'] ?? 0;
    assert.ok(cancelled <= 102, `${cancelled} calls, each with a record`);
  });

  test('T-025 a call whose stream the client has broken is cancelled at the engine', async () => {
    await site.ask({ reset: true });
    const peer = await openPeer(site);
    await peer.send(callHead(site, 1, 'PollWorkflowTaskQueue'), emptyMessage(1));
    await site.until(({ engineSaw }) => engineSaw === 1, 'the poll at the engine');
    await peer.send(windowUpdate(1, 0));
    await peer.ended;
    const state = await site.until(({ counts }) => counts['call cancelled cancelled'] === 1, 'the poll ends');
    assert.equal(state.counts['connection refused http2_protocol_error'], 1);
    await site.until(({ engineOpen }) => engineOpen === 0, 'nothing is open at the engine');
  });
});

describe('T-026 headers', () => {
  const head = (more: readonly Field[] = []): Buffer => literals(callFields(site, 'GetSystemInfo', more));
  /** A header block over as many frames as it takes. */
  const block = (bytes: Buffer, end = true): Buffer => {
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 16_384) {
      const isLast = end && at + 16_384 >= bytes.length;
      const type = at === 0 ? FrameType.headers : FrameType.continuation;
      parts.push(frame(type, isLast ? Flag.endHeaders : 0, 1, bytes.subarray(at, at + 16_384)));
    }
    return Buffer.concat(parts);
  };

  test('T-026a a flood of CONTINUATION, empty or full, is cut after eight of them', async () => {
    const start = (): Buffer => frame(FrameType.headers, 0, 1, head());
    const empty = many(20, () => frame(FrameType.continuation, 0, 1));
    await endsConnection(site, flood, (peer) => peer.send(start(), empty));
    const full = frame(FrameType.continuation, 0, 1, literals([['x-more', 'v'.repeat(500)]]));
    await endsConnection(site, flood, (peer) =>
      peer.send(
        start(),
        many(20, () => full),
      ),
    );
  });

  test('T-026a a header block without end is cut at 64 KiB', async () => {
    await endsConnection(site, { code: H2.compressionError, reason: 'http2_protocol_error' }, (peer) =>
      peer.send(block(head([['x-big', 'v'.repeat(120_000)]]), false)),
    );
  });

  test('T-026b one header of 1 MiB is cut at 64 KiB', async () => {
    await site.ask({ reset: true });
    const peer = await openPeer(site);
    await peer.send(block(head([['x-big', 'v'.repeat(1 << 20)]])));
    await peer.ended;
    const state = await site.until(({ counts }) => counts['connection refused http2_protocol_error'] === 1);
    assert.equal(state.engineSaw, 0);
  });

  test('T-026b more than 128 headers reset the stream, and the connection lives', async () => {
    await site.ask({ reset: true });
    const peer = await openPeer(site);
    const more = Array.from({ length: 200 }, (_, index): Field => [`a${index}`, '']);
    await peer.send(callHead(site, 1, 'GetSystemInfo', more), emptyMessage(1));
    const reset = await peer.next(({ type }) => type === FrameType.rstStream);
    assert.equal(codeOf(reset), H2.enhanceYourCalm);
    await peer.send(callHead(site, 3, 'GetSystemInfo'), emptyMessage(3));
    await peer.next(({ type, streamId }) => type === FrameType.data && streamId === 3);
    assert.equal((await site.ask()).engineSaw, 1, 'the good call alone');
    peer.close();
  });

  test('T-026b 10,000 tiny headers reset the stream and end the connection', async () => {
    const more = Array.from({ length: 10_000 }, (_, index): Field => [`a${index}`, '']);
    await endsConnection(site, flood, (peer) => peer.send(block(head(more))));
  });

  test('T-026b an HPACK bomb, one byte that stands for 4 KiB, inflates to nothing: memory stays flat', async () => {
    const before = (await site.ask()).heapBytes;
    await endsConnection(site, flood, (peer) =>
      peer.send(
        many(10, (index) =>
          frame(
            FrameType.headers,
            Flag.endHeaders,
            2 * index + 1,
            Buffer.concat([
              head(),
              index === 0 ? indexedLiteral(['x-bomb', 'b'.repeat(3900)]) : Buffer.alloc(0),
              many(8000, () => indexed(62)),
            ]),
          ),
        ),
      ),
    );
    assertFlat(before, (await site.ask()).heapBytes);
  });

  test('T-026b a storm of table sizes costs nothing, and ends in an ordinary answer', async () => {
    await site.ask({ reset: true });
    const peer = await openPeer(site);
    const storm = many(2000, (index) => tableSize(index % 2 === 0 ? 0 : 4096));
    await peer.send(
      frame(FrameType.headers, Flag.endHeaders, 1, Buffer.concat([storm, head()])),
      emptyMessage(1),
    );
    await peer.next(({ type }) => type === FrameType.data);
    peer.close();
  });
});

describe('T-027a floods of frames that carry nothing', () => {
  const floods: readonly (readonly [string, () => Buffer, (string | undefined)?])[] = [
    ['PING', () => many(1500, () => ping)],
    ['SETTINGS', () => many(1500, () => settings())],
    ['SETTINGS with values', () => many(1500, (index) => settings([[4, 65_535 + (index % 2)]]))],
    ['PRIORITY', () => many(1500, () => frame(FrameType.priority, 0, 1, Buffer.from([0, 0, 0, 0, 1])))],
    ['WINDOW_UPDATE of the connection', () => many(1500, () => windowUpdate(0, 1))],
    ['frames of an unknown type', () => many(1500, () => frame(0x55, 0, 0, Buffer.alloc(4)))],
    [
      'empty DATA',
      () => Buffer.concat([callHead(site, 1, 'GetSystemInfo'), many(150, () => frame(FrameType.data, 0, 1))]),
    ],
    [
      'DATA of padding alone',
      () =>
        Buffer.concat([
          callHead(site, 1, 'GetSystemInfo'),
          many(1500, () => frame(FrameType.data, Flag.padded, 1, Buffer.of(3, 0, 0, 0))),
        ]),
    ],
    [
      'DATA of one byte',
      () =>
        Buffer.concat([
          callHead(site, 1, 'GetSystemInfo'),
          many(3000, () => frame(FrameType.data, 0, 1, Buffer.of(0))),
        ]),
    ],
  ];
  for (const [what, make] of floods) {
    test(`T-027a a flood of ${what} gets GOAWAY(ENHANCE_YOUR_CALM)`, async () => {
      await endsConnection(site, flood, (peer) => peer.send(make()));
    });
  }

  test('T-027a a client that has made good calls may not flood afterwards', async () => {
    await endsConnection(site, { ...flood, engineSaw: 1 }, async (peer) => {
      await peer.send(callHead(site, 1, 'GetSystemInfo'), emptyMessage(1));
      await peer.next(({ type, flags }) => type === FrameType.headers && (flags & Flag.endStream) !== 0);
      await peer.send(many(1500, () => ping));
    });
  });

  test('T-027a a flood of WINDOW_UPDATE of a parked poll ends the poll at the engine', async () => {
    await endsConnection(site, { ...flood, engineSaw: 1 }, (peer) =>
      peer.send(
        callHead(site, 1, 'PollWorkflowTaskQueue'),
        emptyMessage(1),
        many(1500, () => windowUpdate(1, 1)),
      ),
    );
    await site.until(({ engineOpen }) => engineOpen === 0, 'nothing is open at the engine');
  });

  test('T-027a acknowledgements of settings that nobody sent end the connection', async () => {
    await site.ask({ reset: true });
    const peer = await openPeer(site);
    await peer.send(many(50, () => frame(FrameType.settings, Flag.ack, 0)));
    await peer.ended;
    await site.until(({ counts }) => counts['connection refused http2_protocol_error'] === 1);
  });

  test('T-027a answers to pings that nobody sent are passed over, and a flood of them is one', async () => {
    const answer = frame(FrameType.ping, Flag.ack, 0, Buffer.alloc(8));
    await site.ask({ reset: true });
    const peer = await openPeer(site);
    await peer.send(answer, callHead(site, 1, 'GetSystemInfo'), emptyMessage(1));
    const end = await peer.next(({ flags, streamId }) => streamId === 1 && (flags & Flag.endStream) !== 0);
    assert.equal(end?.type, FrameType.headers);
    peer.close();
    await endsConnection(site, flood, (flooder) => flooder.send(many(300, () => answer)));
  });

  for (const [what, chunk] of [
    ['PING', many(2000, () => ping)],
    ['SETTINGS', many(2000, () => settings())],
  ] as const) {
    test(`T-027a a flood of ${what} from a client that reads nothing is cut, and leaves nothing behind`, async () => {
      await site.ask({ reset: true });
      const before = await site.ask();
      const peer = await openPeer(site);
      peer.pause();
      await floodUntilClosed(peer, chunk);
      const state = await site.until(
        ({ connections }) => connections === before.connections,
        'the connection goes',
      );
      assert.equal(state.counts['connection refused http2_flood'], 1);
      assertFlat(before.heapBytes, state.heapBytes);
    });
  }
});

describe('T-027b windows', () => {
  test('T-027b a window beyond 2^31-1 gets GOAWAY(FLOW_CONTROL_ERROR)', async () => {
    await endsConnection(site, { code: H2.flowControlError, reason: 'http2_protocol_error' }, (peer) =>
      peer.send(windowUpdate(0, 0x7fffffff)),
    );
  });

  test('T-027b a zero increment gets GOAWAY(PROTOCOL_ERROR)', async () => {
    await endsConnection(site, { code: H2.protocolError, reason: 'http2_protocol_error' }, (peer) =>
      peer.send(windowUpdate(0, 0)),
    );
  });

  test('T-027b over 2,000 connections the memory stays flat (CVE-2026-21714)', {
    timeout: 60_000,
  }, async () => {
    const round = async (): Promise<void> => {
      const peer = await openPeer(site);
      await peer.send(windowUpdate(0, 0x7fffffff));
      await peer.ended;
    };
    // 10,000 by GATEHOUSE_ROUNDS: each is a whole handshake.
    const rounds = Number(process.env['GATEHOUSE_ROUNDS'] ?? 500);
    const run = async (count: number): Promise<void> => {
      for (let done = 0; done < count; done += 20) await Promise.all(Array.from({ length: 20 }, round));
      await site.until(({ connections }) => connections === 1, 'only the neighbour is left');
    };
    await run(100);
    const before = await site.ask({ reset: true });
    await run(rounds);
    const state = await site.ask();
    assert.equal(state.counts['connection refused http2_protocol_error'], rounds);
    assertFlat(before.heapBytes, state.heapBytes);
  });
});

/** What stays in memory after an attack: noise of the collector, but not the attack. */
function assertFlat(beforeBytes: number, afterBytes: number): void {
  const grown = afterBytes - beforeBytes;
  assert.ok(grown < 8 * 1024 * 1024, `${grown} bytes more are held`);
}
