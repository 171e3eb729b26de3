import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wholeFrame } from '#base/model/frame';
import { Role } from '#base/proto/role';
import { methodTables, requestTables, responseTables } from '#base/proto/wire-tables';
import { accessOf } from '#core/access/method-access';
import { openCallbackToken, sealCallbackToken } from '#core/tokens/callback-token';
import { decode, encode } from '#testing/grpc-client';
import { noKeys } from '#testing/no-sealing';
import { placesOf, type RolePlace } from '#testing/role-places';
import type { PermittedCall } from './identified-call.ts';
import {
  frameOf,
  keyring,
  OTHER,
  other,
  own,
  permitted,
  refusal,
  settings,
} from './transform-fixture.test.ts';
import { transformReply } from './transform-reply.ts';
import { transformRequest } from './transform-request.ts';

const nexus = { ...settings, nexusEnabled: true };
const SYSTEM = 'temporal://system';
const ENGINE_TOKEN = '{"v":1,"d":"CgNuc2lkEgN3aWQ="}';
const sealed = sealCallbackToken(keyring, own.uuid, ENGINE_TOKEN);
const paths = [...methodTables.keys()].filter((path) => /^(?:read|write|nexus)$/.test(accessOf(path) ?? ''));

interface Place {
  readonly call: PermittedCall;
  readonly place: RolePlace;
}

function* everywhere(direction: 'request' | 'response', role: number): Generator<Place> {
  const tables = direction === 'request' ? requestTables : responseTables;
  for (const path of paths) {
    const call = permitted(path, own, true);
    for (const place of placesOf(tables, call.method[direction], role)) yield { call, place };
  }
}

function callback(url: string, header: Record<string, string>): Uint8Array {
  return encode('common.v1.Callback', { variant: { case: 'nexus', value: { url, header } } });
}

const send = (call: PermittedCall, message: Uint8Array): Buffer =>
  wholeFrame(transformRequest(call, frameOf(message), nexus, undefined).frame).subarray(5);

function receive(call: PermittedCall, message: Uint8Array): Buffer {
  const asked = { frame: Buffer.alloc(5), question: 'q', aboutReserved: false, note: '' };
  return wholeFrame(transformReply(call, asked, frameOf(message), nexus, noKeys).frame).subarray(5);
}

/** Start's callbacks as the engine gets them. */
function started(...callbacks: Uint8Array[]): { url: string; header: Record<string, string> }[] {
  const name = 'workflowservice.v1.StartWorkflowExecutionRequest';
  const completionCallbacks = callbacks.map((bytes) => decode('common.v1.Callback', bytes));
  const sent = send(
    permitted('StartWorkflowExecution', own, true),
    encode(name, { namespace: own.id, completionCallbacks }),
  );
  return decode(name, sent).completionCallbacks.map(
    (it: { variant: { value: { url: string; header: Record<string, string> } } }) => it.variant.value,
  );
}

test('T-045 a callback with a token of this namespace goes on with the token of the engine, and with nothing beside it', () => {
  const header = {
    source: 'cluster-id',
    'Temporal-Callback-Token': sealed,
    Authorization: 'Bearer x',
    'caller-type': 'operator',
  };
  const expected = { url: SYSTEM, header: { 'temporal-callback-token': ENGINE_TOKEN } };
  const again = sealCallbackToken(keyring, own.uuid, ENGINE_TOKEN);
  const sent = started(callback(SYSTEM, header), callback(SYSTEM, { 'temporal-callback-token': again }));
  assert.deepEqual(
    sent.map(({ url, header: left }) => ({ url, header: left })),
    [expected, expected],
  );
});

test('T-045 every other callback is refused at every place where one can stand', () => {
  const token = { 'temporal-callback-token': sealed };
  const refused: Uint8Array[] = [
    ...[
      'temporal://internal',
      'temporal://system/',
      'TEMPORAL://system',
      'https://hooks.example.com/x',
      'http://127.0.0.1:7246/nexus/callback',
      'http://[::1]/',
      'http://169.254.169.254/latest/meta-data',
      'https://temporal:system@10.0.0.1/',
      '',
    ].map((url) => callback(url, token)),
    ...[
      '',
      ENGINE_TOKEN,
      sealCallbackToken(keyring, other.uuid, ENGINE_TOKEN),
      `${sealed}A`,
      sealed.slice(0, -2),
    ].map((forged) => callback(SYSTEM, { 'temporal-callback-token': forged })),
    callback(SYSTEM, {}),
    callback(SYSTEM, { 'x-temporal-callback-token': sealed }),
    callback(SYSTEM, { ...token, 'TEMPORAL-CALLBACK-TOKEN': sealed }),
    encode('common.v1.Callback', { variant: { case: 'internal', value: { data: Buffer.from('x') } } }),
    new Uint8Array(0),
  ];
  let count = 0;
  for (const { call, place } of everywhere('request', Role.callback)) {
    count += 1;
    send(call, place.message(callback(SYSTEM, token)));
    for (const bytes of refused) {
      assert.throws(() => send(call, place.message(bytes)), refusal('callback_refused'), place.name);
    }
  }
  assert.ok(count >= 2, `${count} places`);
  // One that is good admits none that follows it.
  assert.throws(() => started(callback(SYSTEM, token), callback(SYSTEM, {})), refusal('callback_refused'));
});

test("T-045 the engine's token leaves sealed at every place of every reply, and the name of its cluster not at all", () => {
  const entry = (key: string, value: string): Uint8Array => {
    const whole = encode('nexus.v1.StartOperationRequest', { callbackHeader: { [key]: value } });
    // Tag and length of the map's field.
    return whole.subarray(2);
  };
  let count = 0;
  for (const { call, place } of everywhere('response', Role.callbackHeader)) {
    count += 1;
    for (const name of [
      'temporal-callback-token',
      'Temporal-Callback-Token',
      'temporal-callbac\u212a-token',
    ]) {
      const reply = receive(call, place.message(entry(name, ENGINE_TOKEN))).toString('latin1');
      assert.ok(!reply.includes('"v":1'), place.name);
      const [left = ''] = /gatehouse-1\.[\w.-]+/.exec(reply) ?? [];
      assert.equal(openCallbackToken(keyring, own.uuid, left), ENGINE_TOKEN, place.name);
      assert.equal(openCallbackToken(keyring, other.uuid, left), undefined, place.name);
    }
    assert.ok(!receive(call, place.message(entry('source', 'cluster-id'))).includes('cluster-id'));
    assert.ok(receive(call, place.message(entry('x-mine', 'kept'))).includes('kept'));
  }
  // The Nexus poll, histories, poll and eager replies with a history, Describe.
  assert.ok(count >= 6, `${count} places`);
});

test("T-045 a reference into the engine's own state inside a callback is blanked in every reply", () => {
  const internal = encode('common.v1.Callback.Internal', { data: Buffer.from('component reference') });
  let count = 0;
  for (const { call, place } of everywhere('response', Role.masked)) {
    count += 1;
    assert.ok(!receive(call, place.message(internal)).includes('component reference'), place.name);
  }
  assert.ok(count >= 3, `${count} places`);
});

test('T-046b with Nexus on a link may name another namespace; no other mention may', () => {
  let count = 0;
  for (const { call, place } of everywhere('request', Role.linkNamespace)) {
    count += 1;
    assert.ok(send(call, place.message(OTHER)).includes(OTHER), place.name);
  }
  assert.ok(count >= 5, `${count} places`);
  for (const { call, place } of everywhere('request', Role.namespace)) {
    assert.throws(() => send(call, place.message(OTHER)), refusal('namespace_mismatch'), place.name);
  }
});

test('T-046b a link to another namespace in a reply is shown as it is, whether Nexus is on or off', () => {
  let count = 0;
  for (const { call, place } of everywhere('response', Role.linkNamespace)) {
    count += 1;
    const asked = { frame: Buffer.alloc(5), question: 'q', aboutReserved: false, note: '' };
    for (const each of [settings, nexus]) {
      const { frame } = transformReply(call, asked, frameOf(place.message(OTHER)), each, noKeys);
      assert.ok(wholeFrame(frame).includes(OTHER), place.name);
    }
  }
  assert.ok(count >= 4, `${count} places`);
});

test('T-045 a header of a Nexus operation must not be one that the engine trusts', () => {
  const call = permitted('RespondWorkflowTaskCompleted', own, true);
  const places = placesOf(requestTables, call.method.request, Role.nexusHeader);
  assert.equal(places.length, 1);
  for (const place of places) {
    send(call, place.message('traceparent'));
    for (const name of ['nexus-callback-temporal-callback-token', 'Authorization', 'source', '']) {
      assert.throws(() => send(call, place.message(name)), refusal('field_refused'), name);
    }
  }
});

test("T-046a the engine's own endpoint is closed, even to a namespace that lists it", () => {
  const listed = { ...own, nexusEndpoints: ['__temporal_system', 'payments'] };
  const call = permitted('RespondWorkflowTaskCompleted', listed, true);
  const [place] = placesOf(requestTables, call.method.request, Role.nexusEndpoint);
  assert.ok(place);
  send(call, place.message('payments'));
  assert.throws(() => send(call, place.message('__temporal_system')), refusal('method_denied'));
});
