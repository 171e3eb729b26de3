import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { refusals } from '#base/model/refusals';
import { ENCODED_FAILURE, writeFailureWords } from '#core/sealing/sealed-failure';
import { createCanaries, findCanaries } from '#testing/canary';
import { encode, type RawAnswer, WORKFLOW_SERVICE } from '#testing/grpc-client';
import { boxOf, type PayloadMessage, payloadAround } from '#testing/proto/seal-by-hand';
import { NEIGHBOUR, type SealedSite, startSealedSite, TENANT } from '#testing/sealed-site';
import {
  askWith,
  bytesOf,
  failureReply,
  payloadBytes,
  plainPayload,
  type StoredPlace,
  sameReply,
  storedPlaces,
} from './sealed-replies-fixture.test.ts';

// threats.md T-077 and T-079: an engine whose store was written to by somebody else.

let site: SealedSite;
const canaries = createCanaries();
const secret = canaries.make('stored');

before(async () => {
  site = await startSealedSite();
});
after(() => site.close());

const DATA_LOSS = 15;
const plain = plainPayload(secret);
const sealed = (of: string = TENANT): Buffer => boxOf(site.keyring(of), 'payload', payloadBytes(plain));

/** DATA_LOSS, one record of high severity, and not a byte of what was stored. */
async function assertUnreadable(what: string, ask: () => Promise<RawAnswer>): Promise<void> {
  const { answer, event } = await site.recorded(ask);
  assert.deepEqual([answer.status, answer.message], [DATA_LOSS, refusals.payload_unreadable.text], what);
  assert.equal(answer.body.length, 0, what);
  assert.deepEqual(findCanaries(Buffer.from(JSON.stringify(answer.headers))), [], what);
  assert.deepEqual(
    [event.outcome, event.reason, event.severity],
    ['refused', 'payload_unreadable', 'high'],
    what,
  );
  assert.equal(event.status, DATA_LOSS, what);
  assert.deepEqual(findCanaries(Buffer.from(JSON.stringify(event))), [], what);
}

const refusesAt = (place: StoredPlace, what: string, payload: PayloadMessage): Promise<void> =>
  assertUnreadable(`${place.name}: ${what}`, () => askWith(site, place, payload));

/** version 1 | key id 8 | salt 16 | nonce 12 | ciphertext | tag 16 */
const TAG = 16;
const parts = { version: 0, 'key id': 1, salt: 9, nonce: 25, ciphertext: 37 } as const;

function flipped(box: Buffer, at: number, bit = 0): Buffer {
  const copy = Buffer.from(box);
  copy[at] = (copy[at] ?? 0) ^ (1 << bit);
  return copy;
}

/** What an attacker can make of a box without its key. */
function damaged(box: Buffer): [string, Buffer][] {
  const without = (from: number, to: number): Buffer =>
    Buffer.concat([box.subarray(0, from), box.subarray(to)]);
  const { nonce, ciphertext } = parts;
  return [
    ...Object.entries(parts).map(([part, at]): [string, Buffer] => [
      `a bit of the ${part}`,
      flipped(box, at),
    ]),
    ['the last bit of the tag', flipped(box, box.length - 1, 7)],
    ['the last byte cut', box.subarray(0, -1)],
    ['a byte added', Buffer.concat([box, Buffer.of(0)])],
    ['a tag of 4 bytes', box.subarray(0, box.length - TAG + 4)],
    ['no tag', box.subarray(0, box.length - TAG)],
    ['an empty nonce', without(nonce, ciphertext)],
    ['a nonce of 8 bytes', without(nonce + 8, ciphertext)],
    ['a nonce of 16 bytes', Buffer.concat([box.subarray(0, nonce), Buffer.alloc(4), box.subarray(nonce)])],
    ['no ciphertext', without(ciphertext, box.length - TAG)],
    ['the first block of the ciphertext cut', without(ciphertext, ciphertext + 16)],
    ['the header alone', box.subarray(0, nonce)],
    ['one byte', box.subarray(0, 1)],
    ['nothing', Buffer.alloc(0)],
    ['version 0', Buffer.concat([Buffer.of(0), box.subarray(1)])],
    ['version 2', Buffer.concat([Buffer.of(2), box.subarray(1)])],
    ['zeros', Buffer.alloc(box.length)],
  ];
}

test('T-077 a sealed payload that was changed in any part, cut or stretched gives DATA_LOSS at every place', async () => {
  for (const place of storedPlaces) {
    for (const [what, box] of damaged(sealed())) await refusesAt(place, what, payloadAround(box));
    // And nothing is broken by it.
    const answer = await askWith(site, place, payloadAround(sealed()));
    assert.equal(answer.status, 0, place.name);
    assert.ok(sameReply(place, answer, plain), place.name);
  }
});

test('T-077 every single bit of a box is guarded', async () => {
  const [place] = storedPlaces;
  assert.ok(place);
  const box = sealed();
  for (let at = 0; at < box.length; at += 1)
    await refusesAt(place, `byte ${at}`, payloadAround(flipped(box, at, at % 8)));
});

test('T-077 what is damaged takes the rest of its reply with it: no other payload of it reaches the caller', async () => {
  const payloads = [payloadAround(sealed()), payloadAround(flipped(sealed(), 40)), payloadAround(sealed())];
  const body = encode('workflowservice.v1.PollActivityTaskQueueResponse', { input: { payloads } });
  site.engine.answer = () => ({ body });
  await assertUnreadable('between two good ones', () =>
    site.open(TENANT).call(`${WORKFLOW_SERVICE}PollActivityTaskQueue`, new Uint8Array(0)),
  );
});

test('T-079a a payload of another namespace opens at no place, whatever the key that its id names', async () => {
  const own = sealed();
  const foreign = sealed(NEIGHBOUR);
  // Its content under the id of a key of ours, and with our whole header.
  const renamed = Buffer.concat([foreign.subarray(0, 1), own.subarray(1, 9), foreign.subarray(9)]);
  const headed = Buffer.concat([own.subarray(0, parts.nonce), foreign.subarray(parts.nonce)]);
  for (const place of storedPlaces) {
    await refusesAt(place, 'as it is', payloadAround(foreign));
    await refusesAt(place, 'under our key id', payloadAround(renamed));
    await refusesAt(place, 'under our header', payloadAround(headed));
  }
});

test('T-079a kinds are bound: a failure and a text do not open as a payload, nor a payload as either', async () => {
  const keyring = site.keyring(TENANT);
  for (const kind of ['failure', 'text'] as const) {
    const box = boxOf(keyring, kind, payloadBytes(plain));
    for (const place of storedPlaces) await refusesAt(place, kind, payloadAround(box));
  }
  const encodedAttributes = payloadAround(sealed());
  site.engine.answer = () => ({ body: failureReply({ message: ENCODED_FAILURE, encodedAttributes }) });
  await assertUnreadable('a payload as a failure', () =>
    site.open(TENANT).call(`${WORKFLOW_SERVICE}GetWorkflowExecutionHistory`, new Uint8Array(0)),
  );
  const message = `gatehouse.sealed.${sealed().toString('base64url')}`;
  site.engine.answer = () => ({ status: 3, message });
  await assertUnreadable('a payload as a text', () =>
    site.open(TENANT).call(`${WORKFLOW_SERVICE}QueryWorkflow`, new Uint8Array(0)),
  );
});

test('T-079a place, workflow and run are not bound, as is written down: a payload of the namespace opens at each of its places', async () => {
  const box = sealed();
  for (const place of storedPlaces) {
    const answer = await askWith(site, place, payloadAround(box));
    assert.ok(sameReply(place, answer, plain), place.name);
  }
});

/** What somebody who can write to the store, and has no key, could put in place of a sealed payload. */
const planted: readonly PayloadMessage[] = [
  plain,
  plainPayload(secret, 'binary/plain'),
  plainPayload(secret, ''),
  plainPayload(secret, 'binary/gatehouse\0'),
  plainPayload(secret, 'BINARY/GATEHOUSE'),
  plainPayload(secret, 'binary/null'),
  { ...plain, metadata: {} },
  { ...plain, metadata: { Encoding: bytesOf('binary/gatehouse') } },
];
/** They say little, but something else than what was stored. */
const emptied: readonly PayloadMessage[] = [
  { ...plain, data: bytesOf('[]') },
  { ...plain, data: new Uint8Array(0) },
  { ...plain, metadata: {}, data: new Uint8Array(0) },
];
/** Of a header that was sent without a value: there was no place for a seal. */
const valueless = emptied.slice(-1);
const isMemo = ({ name }: StoredPlace): boolean => name.startsWith('memo');

test('T-079b a payload without a seal is refused while sealing is on, also an empty one', async () => {
  for (const place of storedPlaces) {
    for (const payload of planted) await refusesAt(place, 'planted', payload);
    // An entry of a memo that was deleted stands there open.
    if (isMemo(place)) continue;
    for (const payload of emptied) {
      if (place.name === 'header' && valueless.includes(payload)) continue;
      await refusesAt(place, 'emptied', payload);
    }
  }
});

test('a header that was sent without a value comes back without one while sealing is on', async () => {
  for (const place of storedPlaces.filter(({ name }) => name === 'header')) {
    for (const payload of valueless)
      assert.ok(sameReply(place, await askWith(site, place, payload), payload));
  }
});

test('T-079b in its migration window, and with sealing off, a namespace reads what was stored before', async () => {
  for (const sealing of ['migrate', 'off'] as const) {
    site.change(TENANT, { sealing });
    for (const place of storedPlaces) {
      for (const payload of [plain, ...emptied]) {
        const answer = await askWith(site, place, payload);
        assert.ok(sameReply(place, answer, payload), `${sealing}: ${place.name}`);
      }
      const opened = await askWith(site, place, payloadAround(sealed()));
      assert.ok(sameReply(place, opened, plain), `${sealing}: ${place.name}`);
      // A window for what has no seal is none for a seal that does not open.
      for (const [what, box] of damaged(sealed())) await refusesAt(place, what, payloadAround(box));
    }
  }
  site.change(TENANT, { sealing: 'on' });
});

test('T-077 the words of a failure: changed, cut, of another namespace, without a seal', async () => {
  const words = { message: secret, stackTrace: secret, attributes: payloadBytes(plain) };
  const boxIn = (of: string): Buffer => boxOf(site.keyring(of), 'failure', writeFailureWords(words));
  const ask = (encodedAttributes: PayloadMessage): Promise<RawAnswer> => {
    site.engine.answer = () => ({ body: failureReply({ message: ENCODED_FAILURE, encodedAttributes }) });
    return site.open(TENANT).call(`${WORKFLOW_SERVICE}GetWorkflowExecutionHistory`, new Uint8Array(0));
  };
  assert.equal(findCanaries((await ask(payloadAround(boxIn(TENANT)))).body).length, 3);
  for (const [what, box] of damaged(boxIn(TENANT)))
    await assertUnreadable(what, () => ask(payloadAround(box)));
  await assertUnreadable('foreign', () => ask(payloadAround(boxIn(NEIGHBOUR))));
  for (const payload of [...planted, ...emptied]) await assertUnreadable('planted', () => ask(payload));
});

test('T-079b words of a failure without a seal pass, as is written down: the engine writes failures itself', async () => {
  const failure = {
    message: 'activity StartToClose timeout',
    failureInfo: { case: 'timeoutFailureInfo', value: {} },
  };
  site.engine.answer = () => ({ body: failureReply(failure) });
  const answer = await site
    .open(TENANT)
    .call(`${WORKFLOW_SERVICE}GetWorkflowExecutionHistory`, new Uint8Array(0));
  assert.equal(answer.status, 0);
  assert.ok(Buffer.from(answer.body).includes(failure.message));
});

test("T-077 the text of an error, and the failure in its details: changed, cut, another namespace's", async () => {
  const textOf = (box: Buffer): string => `gatehouse.sealed.${box.toString('base64url')}`;
  const ask = (message: string): Promise<RawAnswer> => {
    site.engine.answer = () => ({ status: 3, message });
    return site.open(TENANT).call(`${WORKFLOW_SERVICE}QueryWorkflow`, new Uint8Array(0));
  };
  const own = boxOf(site.keyring(TENANT), 'text', bytesOf(secret));
  assert.equal((await ask(textOf(own))).message, secret);
  for (const [what, box] of damaged(own))
    if (box.length > 0) await assertUnreadable(what, () => ask(textOf(box)));
  const foreign = boxOf(site.keyring(NEIGHBOUR), 'text', bytesOf(secret));
  await assertUnreadable('foreign', () => ask(textOf(foreign)));
});

test('T-077 a sealed search attribute that was changed, or stands in another attribute or namespace, does not open', async () => {
  site.change(TENANT, { sealedAttributes: ['Customer', 'Owner'] });
  const ask = (name: string, text: string): Promise<RawAnswer> => {
    const searchAttributes = { indexedFields: { [name]: plainPayload(text) } };
    const body = encode('workflowservice.v1.DescribeWorkflowExecutionResponse', {
      workflowExecutionInfo: { searchAttributes },
    });
    site.engine.answer = () => ({ body });
    return site.open(TENANT).call(`${WORKFLOW_SERVICE}DescribeWorkflowExecution`, new Uint8Array(0));
  };
  const own = site.keyring(TENANT).sealAttribute('Customer', secret) ?? '';
  assert.equal(findCanaries((await ask('Customer', own)).body).length, 1);
  await assertUnreadable('another attribute', () => ask('Owner', own));
  const foreign = site.keyring(NEIGHBOUR).sealAttribute('Customer', secret) ?? '';
  await assertUnreadable('foreign', () => ask('Customer', foreign));
  const box = Buffer.from(own.slice('gh1.'.length), 'base64url');
  for (let at = 0; at < box.length; at += 1) {
    const text = `gh1.${flipped(box, at, at % 8).toString('base64url')}`;
    await assertUnreadable(`byte ${at}`, () => ask('Customer', text));
  }
  await assertUnreadable('a shorter tag', () =>
    ask('Customer', `gh1.${box.subarray(0, -12).toString('base64url')}`),
  );
});
