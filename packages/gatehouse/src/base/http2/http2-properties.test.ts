import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ClientStream } from './client-connection.ts';
import { Http2Code } from './error-codes.ts';
import type { HeaderFields } from './header-fields.ts';
import { openClient, requestFields, startServer, Witness } from './http2-fixture.test.ts';
import type { ServerStream } from './server-stream.ts';
import { settle, until } from './waiting-fixture.test.ts';

const RUNS = 60;
const OK = [':status', '200'];
const NOTHING = Buffer.alloc(0);
/** What RFC 9110 section 5.6.2 lets a name be made of, but for capitals (RFC 9113 section 8.2). */
const NAME_CHARS = [..."abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"];
/** Names of HTTP's own, whose values mean something to it. */
const RESERVED =
  /^(connection|keep-alive|proxy-connection|transfer-encoding|upgrade|te|host|content-length|priority)$/;

const names = fc
  .string({ unit: fc.constantFrom(...NAME_CHARS), minLength: 1, maxLength: 40 })
  .filter((name) => !RESERVED.test(name));
/** Any bytes but those of control; blanks not at the ends (RFC 9110 section 5.5). */
const valueChars = fc
  .oneof(fc.constant(9), fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff }))
  .map((code) => String.fromCharCode(code));
const values = fc
  .oneof(
    { weight: 20, arbitrary: fc.string({ unit: valueChars, maxLength: 100 }) },
    { weight: 1, arbitrary: fc.string({ unit: valueChars, minLength: 3000, maxLength: 6000 }) },
  )
  .map((value) => value.replace(/^[ \t]+|[ \t]+$/g, ''));
/** Small pools, so that HPACK's table is used and overflows. */
const fieldLists = fc
  .array(fc.tuple(fc.oneof(names, fc.constantFrom('x', 'grpc-timeout', 'authorization')), values), {
    maxLength: 100,
  })
  .map((list) => list.flat())
  .filter((fields) => fields.reduce((sum, { length }) => sum + length + 16, 0) < 60_000);
const trailerLists = fieldLists.filter(({ length }) => length > 0);

test('whatever valid header fields are written are read back the same, in order, in both directions', async (t) => {
  let asked: HeaderFields = [];
  let answer: { readonly head: HeaderFields; readonly trailers: HeaderFields } = { head: [], trailers: [] };
  const { port, bugs } = await startServer(t, (stream) => {
    asked = stream.fields;
    stream.respond([...OK, ...answer.head]);
    stream.write(Buffer.from('body'));
    stream.end(answer.trailers);
  });
  const { connection, errors } = await openClient(t, port);
  await fc.assert(
    fc.asyncProperty(fieldLists, fieldLists, trailerLists, async (question, head, trailers) => {
      answer = { head, trailers };
      const witness = new Witness();
      connection.request(requestFields(...question), NOTHING, witness);
      assert.equal(await witness.whenClosed(), Http2Code.NO_ERROR);
      assert.deepEqual(asked, requestFields(...question));
      assert.deepEqual(witness.fields, [[...OK, ...head], trailers]);
    }),
    { numRuns: RUNS },
  );
  assert.deepEqual([bugs, errors], [[], []]);
});

/** Lengths that lie at the edges of frames and windows now and then. */
const lengths = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.constantFrom(16_383, 16_384, 16_385, 65_535, 65_536),
  fc.integer({ min: 0, max: 100_000 }),
);
const bodies = fc
  .tuple(fc.array(lengths, { maxLength: 8 }), fc.nat(250))
  .map(([parts, seed]) => parts.map((length, at) => Buffer.alloc(length, seed + at)));

/** Consumes what comes in shares as they are given in turn, each in a turn of the event loop of its own. */
function consumeInShares(
  stream: { consume(bytes: number): void },
  shares: readonly number[],
): (chunk: Buffer) => void {
  let held = 0;
  let next = 0;
  let isUnderWay = false;
  const consumeOne = (): void => {
    const share = Math.min(held, shares[next % shares.length] ?? held);
    next += 1;
    held -= share;
    stream.consume(share);
    isUnderWay = held > 0;
    if (isUnderWay) setImmediate(consumeOne);
  };
  return (chunk) => {
    held += chunk.length;
    if (!isUnderWay) setImmediate(consumeOne);
    isUnderWay = true;
  };
}

const paces = fc.array(fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 5000, max: 300_000 })), {
  minLength: 1,
  maxLength: 5,
});

test('whatever a body is, however it is split and paced, it arrives the same in both directions', async (t) => {
  let serve: (stream: ServerStream) => void = () => undefined;
  const { port, bugs } = await startServer(t, (stream) => serve(stream));
  const { connection, errors } = await openClient(t, port, {
    streamWindow: 20_000,
    connectionWindow: 70_000,
  });
  await fc.assert(
    fc.asyncProperty(bodies, bodies, paces, paces, async (question, answer, theirPace, ourPace) => {
      let consumeAsked: (chunk: Buffer) => void = () => undefined;
      const asked = new Witness((chunk) => consumeAsked(chunk));
      serve = (stream) => {
        stream.pace();
        consumeAsked = consumeInShares(stream, theirPace);
        stream.read(asked);
        stream.respond(OK);
        void writeAll(stream, answer);
      };
      let consume: (chunk: Buffer) => void = () => undefined;
      const witness = new Witness((chunk) => consume(chunk));
      const sent = connection.request(requestFields(), question, witness);
      assert.ok(sent);
      sent.pace();
      consume = consumeInShares(sent, ourPace);
      assert.equal(await witness.whenClosed(), Http2Code.NO_ERROR);
      assert.equal(await asked.whenClosed(), Http2Code.NO_ERROR);
      assert.ok(asked.body.equals(Buffer.concat(question)), 'the question');
      assert.ok(witness.body.equals(Buffer.concat(answer)), 'the answer');
      assert.deepEqual(asked.told.slice(-2), ['end', 'closed 0']);
      assert.equal(connection.unsentBytes, 0);
    }),
    { numRuns: RUNS },
  );
  assert.deepEqual([bugs, errors], [[], []]);
});

async function writeAll(stream: ServerStream, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    if (!stream.write(piece)) await new Promise<void>((resolve) => stream.whenRoomier(resolve));
  }
  stream.end(['grpc-status', '0']);
}

const STREAMS = 4;
/** All that may be done to a stream, on either side, in any order. */
const deeds: Readonly<Record<string, (served: ServerStream, sent: ClientStream) => void>> = {
  inform: (served) => served.inform([':status', '103']),
  respond: (served) => served.respond(OK),
  respondOnly: (served) => served.respondOnly(OK),
  writeLittle: (served) => served.write(Buffer.from('little')),
  writeMuch: (served) => served.write(Buffer.alloc(100_000)),
  end: (served) => served.end(),
  endWithTrailers: (served) => served.end(['grpc-status', '0']),
  reset: (served) => served.reset(Http2Code.CANCEL),
  paceServer: (served) => served.pace(),
  consumeServer: (served) => served.consume(1000),
  waitForRoom: (served) => served.whenRoomier(() => served.write(Buffer.from('more'))),
  resetByClient: (_served, sent) => sent.reset(Http2Code.CANCEL),
  paceClient: (_served, sent) => sent.pace(),
  consumeClient: (_served, sent) => sent.consume(1000),
};
const scripts = fc.array(
  fc.oneof(
    { weight: 1, arbitrary: fc.constant('turn' as const) },
    {
      weight: 3,
      arbitrary: fc.record({
        at: fc.nat(STREAMS - 1),
        deed: fc.constantFrom(...Object.keys(deeds)),
      }),
    },
  ),
  { maxLength: 40 },
);

test('whatever is done to streams in whatever order, nothing throws, and each is closed once on both sides', async (t) => {
  let served: { readonly stream: ServerStream; readonly witness: Witness }[] = [];
  const { port, bugs, connections } = await startServer(t, (stream) => {
    const witness = new Witness();
    stream.read(witness);
    served.push({ stream, witness });
  });
  const { connection, errors } = await openClient(t, port, { streamWindow: 20_000 });
  await fc.assert(
    fc.asyncProperty(scripts, fc.nat(200_000), async (script, length) => {
      served = [];
      const sent = Array.from({ length: STREAMS }, () => {
        const witness = new Witness();
        const stream = connection.request(requestFields(), Buffer.alloc(length), witness);
        assert.ok(stream);
        return { stream, witness };
      });
      await until(() => served.length === STREAMS, 'the requests');
      for (const step of script) {
        if (step === 'turn') await settle();
        else {
          const [there, here] = [served[step.at]?.stream, sent[step.at]?.stream];
          if (there !== undefined && here !== undefined) deeds[step.deed]?.(there, here);
        }
      }
      for (const { stream } of sent) stream.reset(Http2Code.CANCEL);
      for (const { witness } of [...sent, ...served]) await witness.whenClosed();
      await settle();
      for (const { witness } of [...sent, ...served]) {
        assert.equal(witness.told.filter((it) => it.startsWith('closed')).length, 1);
        assert.match(witness.told.at(-1) ?? '', /^closed/);
      }
      assert.deepEqual([connection.unsentBytes, connections[0]?.unsentBytes], [0, 0]);
      assert.equal(connections[0]?.openStreamCount, 0);
    }),
    { numRuns: RUNS },
  );
  assert.deepEqual([bugs, errors, connection.isDestroyed], [[], [], false]);
});
