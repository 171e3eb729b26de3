import assert from 'node:assert/strict';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { test } from 'node:test';
import { Http2Code } from './error-codes.ts';
import { connectPeer, startServer, type TestServer, Witness } from './http2-fixture.test.ts';
import { openCall } from './peer-fixture.test.ts';
import type { ServerStream } from './server-stream.ts';
import { settle, until } from './waiting-fixture.test.ts';

const OK = [':status', '200'];

/** A call that has come so far, seen from all sides. */
interface UnderWay {
  readonly stream: ServerStream;
  readonly witness: Witness;
  readonly call: ClientHttp2Stream;
  readonly peer: ClientHttp2Session;
  readonly server: TestServer;
}

/** How far a call has come, and what its reader has been told by then. */
interface Step {
  readonly at: string;
  readonly told: readonly string[];
  /** What client and server have done. */
  readonly reach: (call: ClientHttp2Stream, stream: ServerStream) => void;
  readonly isReached: (call: ClientHttp2Stream, witness: Witness) => boolean;
  /** All that is missing is the client's end. */
  readonly isAnswered?: boolean;
}

const steps: readonly Step[] = [
  { at: 'before anything of its body has come', told: [], reach: () => undefined, isReached: () => true },
  {
    at: 'amid its body',
    told: ['data'],
    reach: (call) => call.write('some'),
    isReached: (_call, witness) => witness.bytes === 4,
  },
  {
    at: 'before it is answered',
    told: ['data', 'end'],
    reach: (call) => call.end('all'),
    isReached: (_call, witness) => witness.told.includes('end'),
  },
  {
    at: 'amid its answer',
    told: ['end'],
    reach: (call, stream) => {
      call.end();
      stream.respond(OK);
      // More than the client's window.
      stream.write(Buffer.alloc(256 * 1024));
    },
    isReached: (call, witness) => !call.pending && witness.told.includes('end'),
  },
  {
    at: 'after its answer, its own side being open',
    told: ['data'],
    reach: (call, stream) => {
      call.write('some');
      stream.respond(OK);
      stream.end();
    },
    isReached: (call, witness) => call.readableEnded && witness.bytes === 4,
    isAnswered: true,
  },
];

/** How a call ends before its time. */
interface Ending {
  readonly by: string;
  readonly code: number;
  readonly end: (underWay: UnderWay) => void;
  readonly connectionLives: boolean;
  /** As the runtime's client does: then comes the reset, if the stream is still there. */
  readonly endsFirst?: boolean;
}

const endings: readonly Ending[] = [
  {
    by: 'a reset of ours',
    code: Http2Code.ENHANCE_YOUR_CALM,
    end: ({ stream }) => stream.reset(Http2Code.ENHANCE_YOUR_CALM),
    connectionLives: true,
  },
  {
    by: "the client's reset",
    code: Http2Code.CANCEL,
    end: ({ call }) => call.close(Http2Code.CANCEL),
    connectionLives: true,
    endsFirst: true,
  },
  {
    by: 'the end of the connection that we make',
    code: Http2Code.CANCEL,
    end: ({ server }) => server.connections[0]?.destroy(),
    connectionLives: false,
  },
  {
    by: 'the end of the connection that the client makes',
    code: Http2Code.CANCEL,
    end: ({ peer }) => peer.destroy(),
    connectionLives: false,
  },
  {
    by: 'the loss of the socket',
    code: Http2Code.CANCEL,
    end: ({ server }) => server.sockets[0]?.destroy(),
    connectionLives: false,
  },
];

/** What a reader is told of a call that goes so far and ends so. */
function toldOf(step: Step, ending: Ending): readonly string[] {
  if (ending.endsFirst !== true) return [...step.told, `closed ${ending.code}`];
  const end = step.told.includes('end') ? [] : ['end'];
  return [...step.told, ...end, `closed ${step.isAnswered === true ? Http2Code.NO_ERROR : ending.code}`];
}

/** All that can be done to a stream. */
function tryEverything(stream: ServerStream): void {
  stream.inform([':status', '103']);
  stream.respond(OK);
  stream.respondOnly(OK);
  assert.equal(stream.write(Buffer.from('late')), false);
  stream.end(['grpc-status', '0']);
  stream.pace();
  stream.consume(10);
  stream.reset(Http2Code.CANCEL);
}

for (const step of steps) {
  for (const ending of endings) {
    test(`a call that ${ending.by} ends ${step.at} is told of it once, and nothing after`, async (t) => {
      let stream: ServerStream | undefined;
      const witness = new Witness();
      const server = await startServer(t, (opened) => {
        if (stream !== undefined) return opened.respondOnly(OK);
        stream = opened;
        return opened.read(witness);
      });
      const peer = await connectPeer(t, server.port);
      const call = openCall(peer);
      call.on('data', () => step.at === 'amid its answer' && call.pause());
      await until(() => stream !== undefined, 'the call');
      assert.ok(stream);
      step.reach(call, stream);
      await until(() => step.isReached(call, witness), step.at);

      ending.end({ stream, witness, call, peer, server });
      await witness.whenClosed();
      await until(() => call.closed, 'the end at the client');

      assert.doesNotThrow(() => stream && tryEverything(stream));
      await new Promise<void>((resolve) => stream?.whenRoomier(resolve));
      await settle();
      assert.deepEqual(witness.told, toldOf(step, ending));
      assert.deepEqual([stream.isClosed, stream.unsentBytes], [true, 0]);
      const [connection] = server.connections;
      assert.deepEqual([connection?.openStreamCount, connection?.unsentBytes], [0, 0]);
      assert.equal(connection?.isDestroyed, !ending.connectionLives);
      assert.deepEqual(server.bugs, []);
      if (ending.connectionLives) {
        const next = openCall(peer).end();
        next.resume();
        await until(() => next.closed, 'another call');
        assert.equal(next.rstCode, 0);
      }
    });
  }
}
