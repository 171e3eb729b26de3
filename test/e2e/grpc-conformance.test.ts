import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  type ConformanceOutcome,
  type ConformancePrograms,
  obtainConformance,
  runConformance,
} from '../parts/conformance.ts';
import { programObstacle } from '../parts/program-obstacle.ts';

// connectrpc's conformance suite (connectrpc.com/conformance), unmodified: as a server, the gateway's data path with the
// suite's own grpc-go service in the engine's place; as a client, the gateway's client of the engine. What the programs
// under test are made of stands in `conformance/`.

/** Of the suite's cases, those that can apply to us: no case that does is left out. */
const features = {
  // gRPC is spoken over HTTP/2 alone; Connect and gRPC-Web are protocols that Temporal does not know.
  versions: ['HTTP_VERSION_2'],
  protocols: ['PROTOCOL_GRPC'],
  // JSON is the HTTPS API's, which is not gRPC.
  codecs: ['CODEC_PROTO'],
  // No method of Temporal's that is relayed streams.
  streamTypes: ['STREAM_TYPE_UNARY'],
  // The limits are fixed (4 and 128 MiB), and the suite wants to set its own of 200 KiB: T-031 in grpc-door.test.ts.
  supportsMessageReceiveLimit: false,
};

const asServer = {
  ...features,
  compressions: ['COMPRESSION_IDENTITY', 'COMPRESSION_GZIP'],
  // The suite's clients send no server name, without which our TLS admits nobody: tls-hellos.test.ts.
  supportsTls: false,
  supportsH2c: true,
};

const asClient = {
  ...features,
  // Nothing is compressed on the way to the engine, which is on the same machine.
  compressions: ['COMPRESSION_IDENTITY'],
  supportsTls: true,
  supportsTlsClientCerts: true,
  supportsH2c: false,
};

/** Cases that fail, by suite and name without their permutation: why, and with which complaints only. */
interface Deviation {
  readonly why: string;
  readonly cases: readonly string[];
  readonly complaints: readonly RegExp[];
}

const metadataKept = [
  /^actual request headers missing "x-conformance-test"$/,
  /^actual response (?:headers|trailers) missing "x-custom-(?:header|trailer)"$/,
];
const masked = /message: "internal error"\} does not match expected (?:message|code 2 \(unknown\))/;
const refusedByEngine = /code: 14 \(unavailable\), .* does not match expected (?:message|code (?:7|16) \()/;
const noDetails = /^actual error contain 0 details; expecting 1$/;
const metadata = 'metadata passes by an allow-list, both ways (T-018, data-plane.md 5.1)';

const serverDeviations: readonly Deviation[] = [
  {
    why: metadata,
    cases: [
      'Basic/unary/success',
      'Duplicate Metadata/unary/success',
      'Server Empty Requests/unary/empty-request',
    ],
    complaints: metadataKept,
  },
  {
    why: `what the engine says of itself (INTERNAL, UNKNOWN) is masked (T-039); ${metadata}`,
    cases: [
      'Duplicate Metadata/unary/error',
      'Errors/unary/internal',
      'Errors/unary/unknown',
      'Errors/unary/unicode-error-message',
    ],
    complaints: [masked, noDetails, ...metadataKept],
  },
  {
    why: `an engine that refuses the gateway itself is a fault of the platform, not of the caller; ${metadata}`,
    cases: [
      'Errors/unary/permission-denied',
      'Errors/unary/unauthenticated',
      'Errors/unary/error-with-metadata',
    ],
    complaints: [refusedByEngine, noDetails, ...metadataKept],
  },
  {
    why: 'no message or two on a unary call are INTERNAL (T-031), which grpc-go does not answer either',
    cases: ['gRPC Unexpected Requests/unary/multiple-requests', 'gRPC Unexpected Requests/unary/no-request'],
    complaints: [/message: "malformed gRPC frame"\} does not match expected code 12/],
  },
];

const noStatus = /the stream closed with 0"\} does not match expected code/;
const cutShort = /the reply was cut short"\} does not match expected code/;
const mapping = [
  ...['bad-request', 'conflict', 'forbidden', 'http-version-not-supported', 'not-found', 'payload-too-large'],
  ...['precondition-failed', 'request-header-fields-too-large', 'unauthorized', 'unsupported-media-type'],
];

const clientDeviations: readonly Deviation[] = [
  {
    why: metadata,
    cases: [
      'Basic/unary/success',
      'Duplicate Metadata/unary/success',
      'Duplicate Metadata/unary/error',
      'Errors/unary/error-with-metadata',
      'gRPC Empty Responses/unary/empty-response',
      ...['trailers-at-end', 'trailers-only'].flatMap((where) =>
        ['expected', 'duplicate-metadata'].map((what) => `gRPC Trailers/${where}/${what}`),
      ),
    ],
    complaints: metadataKept,
  },
  {
    why: 'what answers without a gRPC status is no engine: callers are told UNAVAILABLE, and try again',
    cases: [
      ...mapping.map((name) => `HTTP to RPC Code Mapping/${name}`),
      'Unexpected Responses/nonexistent-http-status-code',
      'Unexpected Responses/unmapped-http-status-code',
      'gRPC Unexpected Responses/missing-status',
      'gRPC Unexpected Responses/unary/no-terminal-status',
      'gRPC Unexpected Responses/unexpected-content-type',
    ],
    complaints: [noStatus],
  },
  {
    why: 'an OK whose reply is not one plain message is no engine of ours: UNAVAILABLE, and never handed on',
    cases: [
      'gRPC Unexpected Responses/unary/multiple-responses',
      'gRPC Unexpected Responses/unary/ok-but-no-response',
      'gRPC Unexpected Responses/unexpected-compressed-message',
      'gRPC Unexpected Responses/unexpected-compression',
    ],
    complaints: [cutShort],
  },
  {
    why: 'a status in the head counts although a message follows it: an error either way, and no message is handed on',
    cases: ['gRPC Unexpected Responses/trailers-only/ignore-header-if-body-present'],
    complaints: [/code: 9 \(failed_precondition\), message: ""\} does not match expected code 13/],
  },
];

/**
 * Of an answer that the engine has begun and resets at the deadline, the relay says UNAVAILABLE; the suite's service
 * begins at once. Whether its reset comes before the caller's own hangs on who is quicker.
 */
const RACE = 'Timeouts/unary';
const raced = /code: 14 \(unavailable\), .* does not match expected code 4/;

/** The suite and the case, without the permutation. */
function shortName(name: string): string {
  return name
    .split('/')
    .filter((part) => !/^(?:HTTPVersion|Protocol|Codec|Compression|TLS):|^\(grpc .* impl\)$/.test(part))
    .join('/');
}

function checkOutcome({ failed }: ConformanceOutcome, deviations: readonly Deviation[]): void {
  const known = new Map(
    deviations.flatMap(({ cases, complaints }) => cases.map((each) => [each, complaints])),
  );
  for (const [name, complaints] of failed) {
    const short = shortName(name);
    const expected = short === RACE ? [raced] : (known.get(short) ?? []);
    const unknown = complaints.filter((complaint) => !expected.some((each) => each.test(complaint)));
    assert.deepEqual(complaints.length === 0 ? ['no complaint'] : unknown, [], name);
  }
  // One that passes after all has no place on the list.
  const seen = new Set([...failed.keys()].map(shortName));
  seen.delete(RACE);
  assert.deepEqual([...seen].sort(), [...known.keys()].sort());
}

const program = (name: string): string =>
  fileURLToPath(new URL(`./conformance/${name}-under-test.ts`, import.meta.url));
const node = [process.execPath, '--conditions=source'];

// The suite is built with Go.
describe('connectrpc conformance', { skip: programObstacle('go') }, () => {
  let programs: ConformancePrograms;
  before(async () => {
    programs = await obtainConformance();
  });

  test('T-031 T-032 to the suite, the data path is a gRPC server but for the cases on the list', async () => {
    const outcome = await runConformance(programs.runner, {
      mode: 'server',
      features: asServer,
      command: [...node, program('server'), programs.grpcServer],
    });
    assert.equal(outcome.total, 108);
    checkOutcome(outcome, serverDeviations);
  });

  test("to the suite, the engine's client is a gRPC client but for the cases on the list", async () => {
    const outcome = await runConformance(programs.runner, {
      mode: 'client',
      features: asClient,
      command: [...node, program('client')],
    });
    assert.equal(outcome.total, 58);
    checkOutcome(outcome, clientDeviations);
  });
});
