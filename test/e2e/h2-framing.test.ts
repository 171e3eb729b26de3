import assert from 'node:assert/strict';
import { type ClientHttp2Session, connect } from 'node:http2';
import { after, before, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { GrpcStatus } from '../../packages/gatehouse/src/base/model/grpc-status.ts';
import { endsConnection, H2 } from './h2-attack.ts';
import { callHead, emptyMessage, SERVICE, TENANT, tlsOf } from './h2-peer.ts';
import { type H2Site, startH2Site } from './h2-site.ts';

// threats.md T-031, T-032 and T-034 on the wire of a real gateway: gRPC's framing, compression and malformed protobuf.

let site: H2Site;
let session: ClientHttp2Session;
before(async () => {
  site = await startH2Site();
  session = connect(`https://${TENANT}.${site.domain}`, { createConnection: () => connectTls(tlsOf(site)) });
  session.on('error', () => undefined);
});
after(async () => {
  session.destroy();
  await site.close();
});

interface Sent {
  readonly body: Buffer;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** False: the client says no more, and does not end its side. */
  readonly ends?: boolean;
}

interface Expected {
  readonly status: number;
  readonly reason: string;
}

const limitBytes = 4 * 1024 * 1024;
const ok: Expected = { status: GrpcStatus.OK, reason: 'ok' };
const malformed: Expected = { status: GrpcStatus.INTERNAL, reason: 'frame_malformed' };
const tooLarge: Expected = { status: GrpcStatus.RESOURCE_EXHAUSTED, reason: 'message_too_large' };
const encodingUnknown: Expected = { status: GrpcStatus.UNIMPLEMENTED, reason: 'encoding_unknown' };
const invalid: Expected = { status: GrpcStatus.INVALID_ARGUMENT, reason: 'message_malformed' };

/** Answer on the wire, the one record, and what the engine saw. */
async function expectAnswer(sent: Sent, expected: Expected): Promise<void> {
  await site.ask({ reset: true });
  const answer = await ask(sent);
  const key = `call ${expected.reason === 'ok' ? 'ok' : 'refused'} ${expected.reason}`;
  const state = await site.until(({ counts }) => Object.keys(counts).length > 0, key);
  assert.deepEqual(
    { status: answer, counts: state.counts, engineSaw: state.engineSaw, errors: state.errors },
    {
      status: expected.status,
      counts: { [key]: 1 },
      engineSaw: expected.reason === 'ok' ? 1 : 0,
      errors: [],
    },
  );
}

function ask({ body, method = 'GetSystemInfo', headers = {}, ends = true }: Sent): Promise<number> {
  return new Promise((resolve) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': `${SERVICE}${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    let status = -1;
    const read = (received: Record<string, unknown>): void => {
      if (received['grpc-status'] === undefined) return;
      status = Number(received['grpc-status']);
      // The answer is there: a client that would go on sending has no reason to.
      if (!ends) stream.close(H2.noError);
    };
    stream
      .on('response', read)
      .on('trailers', read)
      .on('error', () => undefined);
    stream.on('close', () => resolve(status));
    stream.resume();
    if (ends) stream.end(body);
    else stream.write(body);
  });
}

function message(bytes: Uint8Array, { flag = 0, length = bytes.length } = {}): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, bytes]);
}

const none = Buffer.alloc(0);
const gzip = { 'grpc-encoding': 'gzip' };

describe('T-031 the frame of a message', () => {
  const cases: readonly (readonly [string, Sent, Expected])[] = [
    ['one empty message', { body: message(none) }, ok],
    [
      'a length over the limit, before a byte of it comes',
      { body: message(none, { length: limitBytes + 1 }), ends: false },
      tooLarge,
    ],
    [
      'a length of 4 GiB, before a byte of it comes',
      { body: message(none, { length: 0xffffffff }), ends: false },
      tooLarge,
    ],
    [
      'a length of 2 GiB, which is negative to some',
      { body: message(none, { length: 0x80000000 }), ends: false },
      tooLarge,
    ],
    ['a length beyond the bytes that follow', { body: message(Buffer.alloc(3), { length: 4 }) }, malformed],
    ['a length short of the bytes that follow', { body: message(Buffer.alloc(3), { length: 2 }) }, malformed],
    ['half a prefix', { body: Buffer.alloc(3) }, malformed],
    ['two messages', { body: Buffer.concat([message(none), message(none)]) }, malformed],
    ['no message', { body: none }, malformed],
  ];
  for (const [what, sent, expected] of cases) test(`T-031 ${what}`, () => expectAnswer(sent, expected));

  test('T-031 a message after the end of the stream ends the connection', async () => {
    await endsConnection(
      site,
      { code: H2.streamClosed, reason: 'http2_protocol_error', engineSaw: 1 },
      async (peer) => {
        await peer.send(callHead(site, 1, 'PollWorkflowTaskQueue'), emptyMessage(1));
        await site.until(({ engineSaw }) => engineSaw === 1, 'the first message');
        await peer.send(emptyMessage(1));
      },
    );
  });

  test('T-031 a body in single bytes is put together once, not for each of them', async () => {
    await site.ask({ reset: true });
    const before = (await site.ask()).cpuMs;
    // As many as fit the budget of frames; what goes beyond it is T-027.
    const bytes = Buffer.concat([message(Buffer.alloc(300), { length: 300 })]);
    const stream = session.request({
      ':method': 'POST',
      ':path': `${SERVICE}GetSystemInfo`,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => undefined).resume();
    for (const byte of bytes) stream.write(Buffer.of(byte));
    stream.end();
    await new Promise((resolve) => stream.on('close', resolve));
    assert.ok((await site.ask()).cpuMs - before < 1000);
  });
});

describe('T-032 compression', () => {
  const member = gzipSync(none);
  const bomb = gzipSync(Buffer.alloc(limitBytes + 1), { level: 9 });
  const cases: readonly (readonly [string, Sent, Expected])[] = [
    ['gzip, announced', { body: message(member, { flag: 1 }), headers: gzip }, ok],
    ['announced and not used', { body: message(none), headers: gzip }, ok],
    ['the flag without an encoding', { body: message(member, { flag: 1 }) }, malformed],
    [
      'the flag with identity',
      { body: message(member, { flag: 1 }), headers: { 'grpc-encoding': 'identity' } },
      malformed,
    ],
    ['an unknown encoding', { body: message(none), headers: { 'grpc-encoding': 'snappy' } }, encodingUnknown],
    [
      'an unknown encoding and the flag',
      { body: message(none, { flag: 1 }), headers: { 'grpc-encoding': 'br' } },
      encodingUnknown,
    ],
    ['a bomb of 1 to 1,000', { body: message(bomb, { flag: 1 }), headers: gzip }, tooLarge],
    [
      'two members',
      { body: message(Buffer.concat([member, member]), { flag: 1 }), headers: gzip },
      malformed,
    ],
    ['what is not gzip', { body: message(Buffer.from('no gzip'), { flag: 1 }), headers: gzip }, malformed],
    [
      'a member that is cut',
      { body: message(member.subarray(0, -1), { flag: 1 }), headers: gzip },
      malformed,
    ],
  ];
  for (const [what, sent, expected] of cases) test(`T-032 ${what}`, () => expectAnswer(sent, expected));

  test('T-032 a flag of 2 to 255 is malformed', async () => {
    await site.ask({ reset: true });
    const flags = Array.from({ length: 254 }, (_, index) => index + 2);
    const answers = await Promise.all(flags.map((flag) => ask({ body: message(none, { flag }) })));
    assert.deepEqual(new Set(answers), new Set([GrpcStatus.INTERNAL]));
    const { counts, engineSaw } = await site.ask();
    assert.deepEqual([counts, engineSaw], [{ 'call refused frame_malformed': 254 }, 0]);
  });

  test('T-032 a hundred bombs of 256 MiB are not inflated', async () => {
    const large = gzipSync(Buffer.alloc(256 * 1024 * 1024), { level: 9 });
    const before = await site.ask({ reset: true });
    for (let round = 0; round < 10; round += 1) {
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => ask({ body: message(large, { flag: 1 }), headers: gzip })),
      );
      assert.deepEqual(new Set(answers), new Set([GrpcStatus.RESOURCE_EXHAUSTED]));
    }
    const state = await site.ask();
    // Inflated they would be 25 GiB.
    assert.ok(
      state.heapBytes - before.heapBytes < 256 * 1024 * 1024,
      `${state.heapBytes - before.heapBytes}`,
    );
    assert.deepEqual([state.counts, state.engineSaw], [{ 'call refused message_too_large': 100 }, 0]);
  });
});

describe('T-034 malformed protobuf', () => {
  /** RespondActivityTaskFailedRequest.failure (2) with causes (4) in causes. */
  const nested = (levels: number): Buffer => {
    const parts: Buffer[] = [];
    let length = 0;
    for (let level = 0; level < levels; level += 1) {
      const head = Buffer.concat([Buffer.of(level === levels - 1 ? 0x12 : 0x22), varint(length)]);
      parts.push(head);
      length += head.length;
    }
    return Buffer.concat(parts.reverse());
  };
  const method = 'RespondActivityTaskFailed';
  const cases: readonly (readonly [string, Buffer])[] = [
    ['nesting of 10,000', nested(10_000)],
    ['nesting of 200,000', nested(200_000)],
    ['a group', Buffer.of(0x0b, 0x0c)],
    ['an end of a group that never began', Buffer.of(0x0c)],
    ['groups in groups', Buffer.alloc(10_000, 0x0b)],
    ['a varint of 11 bytes', Buffer.of(0x08, ...Array.from({ length: 10 }, () => 0xff), 0x01)],
    ['a varint without end', Buffer.of(0x08, 0xff)],
    ['a length beyond the message', Buffer.of(0x0a, 0x05, 0x61)],
    ['a length of 2^63', Buffer.of(0x0a, ...Array.from({ length: 9 }, () => 0xff), 0x01)],
    ['field number 0', Buffer.of(0x00, 0x00)],
    ['wire type 7', Buffer.of(0x0f)],
  ];
  for (const [what, body] of cases) {
    test(`T-034 ${what}`, async () => {
      await expectAnswer({ body: message(body), method }, invalid);
    });
  }
});

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest >>>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}
