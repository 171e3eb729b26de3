import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { create, fromBinary, type Message, toBinary } from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import { messageType } from '#base/proto/api-registry';
import { Role } from '#base/proto/role';
import { responseTables } from '#base/proto/wire-tables';
import { accessOf } from '#core/access/method-access';
import { createCanaries, findCanaries } from '#testing/canary';
import { roleOfField } from '#testing/proto/field-role';
import { type FillRules, filledMessages, type Leaf, leavesOf } from '#testing/proto/filled-messages';
import { sealByHand } from '#testing/proto/seal-by-hand';
import { type MethodMessage, methodMessages } from '#testing/proto/workflow-messages';
import { type SealedSite, startSealedSite, TENANT } from '#testing/sealed-site';
import { anyTypes, isSealed, nameOf, openPayloads, readableRows } from './sealed-places-fixture.test.ts';

// threats.md T-080, on the wire: every message of every method that tenants may call, with every payload and every
// failure filled, as the schema has them. The engine of these tests keeps the bytes that it got.

let site: SealedSite;

before(async () => {
  site = await startSealedSite();
  site.change(TENANT, { sealedAttributes: ['key0'] });
});
after(() => site.close());

const openToTenants = new Set(['read', 'write', 'nexus']);
const messages = methodMessages().filter(({ method }) => openToTenants.has(String(accessOf(method.path))));
const requests = messages.filter(({ direction }) => direction === 'request');
const replies = messages.filter(({ direction }) => direction === 'response');

const PAYLOAD = 'temporal.api.common.v1.Payload';
const HISTORY = 'temporal.api.history.v1.History';
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

/** A Payload that says the text in its data; and in a value of its metadata too, but where the engine reads it. */
function payloadOf(text: string, leaf: Leaf): Message {
  const own: Record<string, Uint8Array> =
    leaf.owner.name === 'SearchAttributes'
      ? { type: bytesOf('Keyword') }
      : { note: bytesOf(`${text} in metadata`) };
  const metadata = { encoding: bytesOf('json/plain'), ...own };
  return create(messageType(PAYLOAD), { metadata, data: bytesOf(JSON.stringify(text)) });
}

const refusedRoles: readonly number[] = [Role.callback, Role.forbidden];
/** What a request may hold: callbacks and compute configurations are refused whatever they say. */
const entersRequest = ({ owner, field }: Leaf): boolean =>
  !refusedRoles.includes(roleOfField('request', owner, field));

function sealedPaths({ desc }: MethodMessage, enters: FillRules['enters']): string[] {
  const leaves = leavesOf(desc, { anyTypes, enters }).filter(isSealed);
  return leaves.map(({ path }) => path).sort();
}

test('T-080 no text of any payload or failure of any request reaches the engine, in no encoding', async () => {
  const client = site.open(TENANT);
  const canaries = createCanaries();
  for (const { desc, method, ...rest } of requests) {
    const filled = new Set<string>();
    let sent = 0;
    const canary = (leaf: Leaf): string => {
      filled.add(leaf.path);
      return canaries.make(`${desc.name} ${leaf.path}`);
    };
    const rules: FillRules = {
      anyTypes,
      enters: entersRequest,
      payload: (leaf) => payloadOf(canary(leaf), leaf),
      text(leaf) {
        if (!isSealed(leaf)) return undefined;
        // The details of a Nexus failure are JSON.
        return nameOf(leaf) === 'nexus.v1.Failure.details' ? JSON.stringify(canary(leaf)) : canary(leaf);
      },
    };
    for (const message of filledMessages(desc, rules)) {
      const bytes = toBinary(desc, message);
      const answer = await client.call(method.path, bytes);
      assert.equal(answer.status, 0, `${method.name}: ${answer.message}`);
      const seen = site.engine.seen.pop();
      if (method.name === 'GetSearchAttributes') continue;
      assert.ok(seen, method.name);
      assert.deepEqual(findCanaries(seen.body), [], method.name);
      sent += findCanaries(bytes).length;
    }
    // The same look finds what was sent.
    assert.equal(sent > 0, filled.size > 0, method.name);
    assert.deepEqual([...filled].sort(), sealedPaths({ desc, method, ...rest }, entersRequest), method.name);
  }
  assert.ok(canaries.places.size > 400, `${canaries.places.size} places`);
});

test('T-080 every other text of a request is one that the documentation names as readable', () => {
  const used = new Set<string>();
  for (const { desc } of requests) {
    for (const leaf of leavesOf(desc, { anyTypes, enters: entersRequest })) {
      const name = nameOf(leaf);
      if (isSealed(leaf) || name === 'google.protobuf.Any.value') continue;
      if (openPayloads.has(name)) {
        used.add(name);
        continue;
      }
      const rows = Object.entries(readableRows).filter(([, pattern]) => pattern.test(name));
      assert.equal(rows.length, 1, `${name}: ${rows.map(([row]) => row)}`);
      for (const [row] of rows) used.add(row);
    }
  }
  for (const row of Object.keys(readableRows)) assert.ok(used.has(row), `nothing is in the row ${row}`);
});

/** Says where two long messages part, which a comparison of their objects would take minutes to draw. */
function assertSame(actual: Uint8Array, expected: Uint8Array, what: string): void {
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  if (at < 0 && actual.length === expected.length) return;
  const around = (bytes: Uint8Array): string =>
    Buffer.from(bytes).toString('latin1', Math.max(0, at - 60), at + 60);
  assert.fail(
    `${what}: ${actual.length} of ${expected.length} bytes, at ${at}\n${around(actual)}\n${around(expected)}`,
  );
}

test('T-080 every payload and failure of every reply comes back as it was before it was sealed', async () => {
  const client = site.open(TENANT);
  const keyring = site.keyring(TENANT);
  const found = new Set<string>();
  for (const { desc, method, ...rest } of replies) {
    const filled = new Set<string>();
    const enters = () => true;
    const rules: FillRules = {
      anyTypes,
      enters,
      payload(leaf) {
        filled.add(leaf.path);
        found.add(nameOf(leaf));
        // No longer than a search attribute may be.
        return payloadOf(leaf.path.slice(-100), leaf);
      },
      text(leaf) {
        if (nameOf(leaf) === 'common.v1.DataBlob.data') return historyBlob();
        if (!isSealed(leaf)) return undefined;
        filled.add(leaf.path);
        return leaf.path;
      },
    };
    const historyBlob = (): Uint8Array => {
      const history = messageType(HISTORY);
      const inBlob = { ...rules, text: (leaf: Leaf) => (isSealed(leaf) ? leaf.path : undefined) };
      const [first] = filledMessages(history, inBlob);
      assert.ok(first);
      return toBinary(history, first);
    };
    for (const message of filledMessages(desc, rules)) {
      const plain = toBinary(desc, message);
      const copy = fromBinary(desc, plain);
      sealByHand(reflect(desc, copy), { keyring, open: openPayloads, sealedAttributes: ['key0'] });
      const body = toBinary(desc, copy);
      site.engine.answer = () => ({ body });
      const answer = await client.call(method.path, new Uint8Array(0));
      assert.equal(answer.status, 0, `${method.name}: ${answer.message}`);
      assertSame(toBinary(desc, fromBinary(desc, answer.body)), plain, method.name);
    }
    const missing = sealedPaths({ desc, method, ...rest }, enters).filter((path) => !filled.has(path));
    assert.deepEqual(missing, [], method.name);
  }
  for (const name of openPayloads) assert.ok(found.has(name), name);
});

test('T-080 the failures in the details of an error come back as they were before they were sealed', async () => {
  const client = site.open(TENANT);
  const keyring = site.keyring(TENANT);
  const status = messageType('google.rpc.Status');
  const kinds = [...responseTables.any.keys()].filter((name) => name.includes('.errordetails.'));
  let filled = 0;
  for (const kind of kinds) {
    const rules: FillRules = {
      // Statuses of several operations hold details again.
      anyTypes: [kind, 'temporal.api.errordetails.v1.QueryFailedFailure'],
      // But not those of several operations once more: trailers have 64 KiB.
      enters: ({ path }) => !/MultiOperationExecutionFailure>.*MultiOperationExecutionFailure>/.test(path),
      payload: (leaf) => payloadOf(leaf.path.slice(-100), leaf),
      text(leaf) {
        if (!isSealed(leaf)) return undefined;
        filled += 1;
        return leaf.path;
      },
    };
    for (const message of filledMessages(status, rules)) {
      const plain = toBinary(status, message);
      const copy = fromBinary(status, plain);
      sealByHand(reflect(status, copy), { keyring, open: openPayloads, sealedAttributes: [] });
      const details = Buffer.from(toBinary(status, copy)).toString('base64');
      site.engine.answer = () => ({
        status: 3,
        message: 'x',
        trailers: { 'grpc-status-details-bin': details },
      });
      const path = '/temporal.api.workflowservice.v1.WorkflowService/QueryWorkflow';
      const answer = await client.call(path, new Uint8Array(0));
      assert.equal(answer.status, 3, `${kind}: ${answer.message}`);
      const got = Buffer.from(String(answer.headers['grpc-status-details-bin']), 'base64');
      assertSame(toBinary(status, fromBinary(status, got)), plain, kind);
    }
  }
  assert.ok(filled > 20, `${filled} words`);
});
