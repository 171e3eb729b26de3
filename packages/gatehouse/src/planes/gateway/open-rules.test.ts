import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { createNamespaceKeyring, type NamespaceKeyring } from '#base/crypto/namespace-keyring';
import { Secret } from '#base/crypto/secret';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { Role } from '#base/proto/role';
import { MessageScanner } from '#base/proto/scan-message';
import { GRPC_PREFIX_BYTES, type LateValue, spliceFrame } from '#base/proto/splice-message';
import { methodTables, responseTables } from '#base/proto/wire-tables';
import { KeyNotLoaded, openMessage } from '#core/sealing/open-message';
import { ENCODED_FAILURE, writeFailureWords } from '#core/sealing/sealed-failure';
import { sealPayload } from '#core/sealing/sealed-payload';
import type { Sealing } from '#core/sealing/sealing';
import { decode, encode } from '#testing/grpc-client';
import { noSealing } from '#testing/no-sealing';
import { placesOf } from '#testing/role-places';
import { openRulesOf } from './open-rules.ts';
import { own, permitted, refusal, WORKFLOW } from './transform-fixture.test.ts';

type Fields = Record<string, unknown>;

const PEER_KEY = '00000000000000bb';
const keyringOf = (id: string, namespaceUuid: string): NamespaceKeyring =>
  createNamespaceKeyring({ region: 'aws-local', account: 'local', namespaceUuid }, [
    { id, purpose: 'payload', createdAtMs: 1, key: new Secret(randomBytes(32)) },
  ]);
const ownKeys = keyringOf('00000000000000aa', 'own');
const peerKeys = keyringOf(PEER_KEY, 'peer');
const sealed: NamespaceRecord = { ...own, sealing: 'on' };
const connected: Sealing = { ...noSealing, peer: (_, keyId) => (keyId === PEER_KEY ? peerKeys : undefined) };

function bytesOf(value: LateValue): Buffer {
  const bytes = Buffer.alloc(value.length);
  value.write(bytes, 0);
  return bytes;
}
const plain = Buffer.from(encode('common.v1.Payload', { metadata: {}, data: Buffer.from('said') }));
const ofPeer = bytesOf(sealPayload(peerKeys, 'payload', plain));
const box = decode('common.v1.Payload', ofPeer);
const failure = {
  message: ENCODED_FAILURE,
  encodedAttributes: decode(
    'common.v1.Payload',
    bytesOf(
      sealPayload(
        peerKeys,
        'failure',
        writeFailureWords({ message: 'said', stackTrace: '', attributes: undefined }),
      ),
    ),
  ),
};

/** A reply of this method, opened for a namespace. How does not depend on the method. */
function opened(
  method: string,
  reply: Uint8Array,
  sealing: Sealing = connected,
  namespace: NamespaceRecord = sealed,
): Buffer {
  const table = methodTables.get(WORKFLOW + method)?.response;
  const scanner = new MessageScanner(responseTables, { reply: true });
  assert.ok(table && scanner.scan(table, reply), `${method} ${scanner.faultAt}`);
  const request = { frame: Buffer.alloc(5), question: '', aboutReserved: false, note: '' };
  const rules = openRulesOf(permitted('PollNexusTaskQueue', namespace, true), request, ownKeys, sealing);
  return spliceFrame(scanner, openMessage(scanner, rules)).subarray(GRPC_PREFIX_BYTES);
}

const event = (name: string, value: Fields): Uint8Array =>
  encode('workflowservice.v1.GetWorkflowExecutionHistoryResponse', {
    history: { events: [{ attributes: { case: `nexusOperation${name}EventAttributes`, value } }] },
  });
const pending = (value: Fields): Uint8Array =>
  encode('workflowservice.v1.DescribeWorkflowExecutionResponse', { pendingNexusOperations: [value] });
const task = (value: Fields): Uint8Array => {
  const variant = { case: 'startOperation', value };
  return encode('workflowservice.v1.PollNexusTaskQueueResponse', { request: { variant } });
};
const history = 'GetWorkflowExecutionHistory';

/** Everywhere that the engine puts what the other side of an operation said. */
const nexusPlaces: readonly (readonly [method: string, of: (said: Fields, failed: Fields) => Uint8Array])[] =
  [
    [history, (said) => event('Completed', { result: said })],
    [history, (_, failed) => event('Failed', { failure: { cause: failed } })],
    [history, (_, failed) => event('Canceled', { failure: { cause: { cause: failed } } })],
    [history, (_, failed) => event('TimedOut', { failure: failed })],
    [history, (_, failed) => event('CancelRequestFailed', { failure: failed })],
    ['DescribeWorkflowExecution', (_, failed) => pending({ lastAttemptFailure: failed })],
    [
      'DescribeWorkflowExecution',
      (_, failed) => pending({ cancellationInfo: { lastAttemptFailure: failed } }),
    ],
    ['PollNexusTaskQueue', (said) => task({ payload: said })],
  ];

test('what a peer sealed opens at every place of an operation', () => {
  for (const [method, of] of nexusPlaces) {
    const text = opened(method, of(box, failure)).toString('latin1');
    assert.ok(text.includes('said') && !text.includes('gatehouse'), method);
  }
});

/** The result of an operation, in whichever history, and the input in a Nexus task. */
const ofOperations = /\.1\.55\.2$|^PollNexusTaskQueueResponse\.2\.3\.5$/;

test('T-079a what a peer sealed opens at no other place of any reply', () => {
  const openedAt: string[] = [];
  let refused = 0;
  for (const [path, { response }] of methodTables) {
    if (!path.startsWith(WORKFLOW)) continue;
    for (const role of [Role.payload, Role.headerPayload, Role.memoPayload]) {
      for (const { name, message } of placesOf(responseTables, response, role)) {
        if (opensAt(path, message(ofPeer))) openedAt.push(name);
        else refused += 1;
      }
    }
  }
  assert.deepEqual(
    openedAt.filter((name) => !ofOperations.test(name)),
    [],
  );
  // Without any, or with few places looked at, the promise would be empty.
  assert.ok(openedAt.length > 3 && refused > 50, `${openedAt.length} ${refused}`);
  assert.throws(() => opened(history, event('Scheduled', { input: box })), isUnopened);
});

function opensAt(path: string, reply: Uint8Array): boolean {
  try {
    opened(path.slice(WORKFLOW.length), reply);
    return true;
  } catch (error) {
    if (isUnopened(error)) return false;
    throw error;
  }
}

function isUnopened(error: unknown): boolean {
  return error instanceof KeyNotLoaded && error.keyId === PEER_KEY && !error.nexus;
}

test('T-079b plaintext in an operation passes where a peer does not seal, and in no other place of a reply', () => {
  const said = decode('common.v1.Payload', plain);
  const failed = { encodedAttributes: said };
  const withPlainPeer: Sealing = { ...connected, hasPlainPeer: () => true };
  const input = {
    events: [
      {
        attributes: { case: 'activityTaskCompletedEventAttributes', value: { result: { payloads: [said] } } },
      },
    ],
  };
  const elsewhere = encode('workflowservice.v1.GetWorkflowExecutionHistoryResponse', { history: input });
  for (const [method, of] of nexusPlaces) {
    const reply = of(said, failed);
    assert.deepEqual(opened(method, reply, withPlainPeer), Buffer.from(reply));
    assert.throws(() => opened(method, reply), refusal('payload_unreadable'));
    assert.throws(() => opened(method, reply, noSealing), refusal('payload_unreadable'));
  }
  assert.throws(() => opened(history, elsewhere, withPlainPeer), refusal('payload_unreadable'));
  assert.deepEqual(
    opened(history, elsewhere, noSealing, { ...own, sealing: 'migrate' }),
    Buffer.from(elsewhere),
  );
});
