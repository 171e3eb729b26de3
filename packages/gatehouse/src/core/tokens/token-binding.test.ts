import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Secret } from '#base/crypto/secret';
import { createTokenKeyring, type TokenKeyring } from '#base/crypto/token-keyring';
import { Refusal } from '#base/model/refusals';
import type { Clock } from '#base/runtime/clock';
import { bindToken, pageKind, type TokenKind, type TokenScope, unbindToken } from './token-binding.ts';

const DAY_MS = 86_400_000;
const kinds: readonly TokenKind[] = [
  'workflow-task',
  'activity-task',
  'nexus-task',
  'page',
  'reserved-page',
  'long-poll',
];

let nowMs = 10 * DAY_MS;
const clock: Clock = { now: () => nowMs, monotonicMs: () => nowMs };
const key = (id: number, createdAtMs: number, fill: number) => ({
  id,
  createdAtMs,
  key: new Secret(Buffer.alloc(32, fill)),
});
const keyring = createTokenKeyring([key(1, 0, 7)], { clock });

const scopes = fc.record({
  namespaceUuid: fc.uuid(),
  kind: fc.constantFrom(...kinds),
  question: fc.string({ unit: 'binary', maxLength: 40 }),
});
const tokens = fc.uint8Array({ minLength: 0, maxLength: 200 });

function assertForeign(ring: TokenKeyring, scope: TokenScope, token: Uint8Array): void {
  assert.throws(
    () => unbindToken(ring, scope, token),
    (error) =>
      error instanceof Refusal &&
      error.code === 'token_foreign' &&
      error.grpcStatus === 3 &&
      error.message === 'Operation requested with a token from a different namespace.',
  );
}

test('a token that left comes back as the engine made it, in its own scope', () => {
  fc.assert(
    fc.property(scopes, tokens, (scope, token) => {
      assert.deepEqual(
        Buffer.from(unbindToken(keyring, scope, bindToken(keyring, scope, token))),
        Buffer.from(token),
      );
    }),
  );
});

test('T-043 T-044b a token opens in no scope but its own: another namespace, kind or question is refused', () => {
  fc.assert(
    fc.property(scopes, scopes, tokens, (scope, other, token) => {
      fc.pre(JSON.stringify(scope) !== JSON.stringify(other));
      assertForeign(keyring, other, bindToken(keyring, scope, token));
    }),
  );
});

test('T-044a a token with one bit flipped, anywhere, is refused', () => {
  fc.assert(
    fc.property(scopes, tokens, fc.nat(), (scope, token, where) => {
      const bound = bindToken(keyring, scope, token);
      const bit = where % (bound.length * 8);
      bound[bit >> 3] = (bound[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assertForeign(keyring, scope, bound);
    }),
  );
});

test('T-044a a token that is cut short, made longer or made by hand is refused', () => {
  fc.assert(
    fc.property(scopes, tokens, fc.nat(), (scope, token, cut) => {
      const bound = bindToken(keyring, scope, token);
      assertForeign(keyring, scope, bound.subarray(0, cut % bound.length));
      assertForeign(keyring, scope, Buffer.concat([bound, Buffer.from([0])]));
      assertForeign(keyring, scope, token);
    }),
  );
});

test('T-044a a token from before a key rotation opens until the grace of its key ends, and no longer', () => {
  const graceMs = 2 * DAY_MS;
  const ring = (...keys: ReturnType<typeof key>[]) =>
    createTokenKeyring(keys, { clock, graceMs, activateAfterMs: 0 });
  nowMs = 10 * DAY_MS;
  const scope: TokenScope = { namespaceUuid: 'a', kind: 'activity-task', question: '' };
  const old = bindToken(ring(key(1, 0, 7)), scope, Buffer.from('old'));
  const rotated = ring(key(1, 0, 7), key(2, nowMs, 8));
  const fresh = bindToken(rotated, scope, Buffer.from('new'));
  nowMs += graceMs - 1;
  assert.equal(Buffer.from(unbindToken(rotated, scope, old)).toString(), 'old');
  nowMs += 2;
  assertForeign(rotated, scope, old);
  assert.equal(Buffer.from(unbindToken(rotated, scope, fresh)).toString(), 'new');
});

test('T-044a a token of a key that this keyring never had is refused', () => {
  const scope: TokenScope = { namespaceUuid: 'a', kind: 'page', question: '' };
  nowMs = 10 * DAY_MS;
  assertForeign(
    keyring,
    scope,
    bindToken(createTokenKeyring([key(2, 0, 7)], { clock }), scope, Buffer.from('x')),
  );
  assertForeign(
    keyring,
    scope,
    bindToken(createTokenKeyring([key(1, 0, 9)], { clock }), scope, Buffer.from('x')),
  );
});

test("T-044a a page is of the engine's own if it was bound as one: what a token says of that opens as nothing else", () => {
  const pages = fc.constantFrom('page' as const, 'reserved-page' as const);
  fc.assert(
    fc.property(scopes, pages, tokens, fc.integer({ min: 0, max: 255 }), (anywhere, kind, token, version) => {
      const scope: TokenScope = { ...anywhere, kind };
      const bound = bindToken(keyring, scope, token);
      assert.equal(pageKind(bound), kind);
      fc.pre(version !== bound[1]);
      bound[1] = version;
      assertForeign(keyring, { ...scope, kind: pageKind(bound) }, bound);
    }),
  );
  assert.equal(pageKind(new Uint8Array(0)), 'page');
});
