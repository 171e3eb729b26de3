import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose';
import { EngineError } from './engine-error.ts';
import { createSigningKeys, KEY_LIFE_MS, KEY_OVERLAP_MS } from './engine-signing-keys.ts';
import { createEngineTokens, TOKEN_LIFE_MS } from './engine-tokens.ts';
import { startJwksServer } from './jwks-server.ts';

const START = Date.UTC(2026, 10, 24, 12);

function fixedClock() {
  let nowMs = START;
  return {
    now: () => nowMs,
    monotonicMs: () => nowMs - START,
    advance: (ms: number) => {
      nowMs += ms;
    },
  };
}

test('T-057 a token names one namespace, one role and our audience, and lives 60 s at most', async () => {
  const clock = fixedClock();
  const keys = await createSigningKeys(clock);
  const header = createEngineTokens(keys, clock).mintToken('alpha.local', 'write');
  assert.match(header, /^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);
  const { payload, protectedHeader } = await jwtVerify(
    header.slice('Bearer '.length),
    createLocalJWKSet(JSON.parse(keys.jwksJson())),
    { audience: 'gatehouse-engine', currentDate: new Date(START) },
  );
  assert.equal(protectedHeader.alg, 'RS256');
  assert.equal(protectedHeader.kid, keys.current().kid);
  assert.deepEqual(payload['permissions'], ['alpha.local:write']);
  assert.equal(typeof payload.sub, 'string');
  assert.equal(payload.iat, START / 1000 - 5);
  assert.equal((payload.exp ?? 0) - (payload.iat ?? 0), TOKEN_LIFE_MS / 1000);
});

test('a token is handed out again until 40 s, and never within 5 s of its end', async () => {
  const clock = fixedClock();
  const tokens = createEngineTokens(await createSigningKeys(clock), clock);
  const first = tokens.mintToken('alpha.local', 'write');
  for (let second = 0; second < 200; second += 1) {
    const token = tokens.mintToken('alpha.local', 'write');
    const exp = decodeJwt(token.slice(7)).exp ?? 0;
    assert.ok(exp * 1000 - clock.now() > 5_000, `second ${second}`);
    if (second < 40) assert.equal(token, first);
    clock.advance(1000);
  }
});

test('a clock that is set back gets a token whose iat is not in its future', async () => {
  const clock = fixedClock();
  const tokens = createEngineTokens(await createSigningKeys(clock), clock);
  tokens.mintToken('alpha.local', 'read');
  clock.advance(-30_000);
  const iat = decodeJwt(tokens.mintToken('alpha.local', 'read').slice(7)).iat ?? 0;
  assert.ok(iat * 1000 < clock.now());
});

test('tokens of two namespaces or two roles are never mixed up', async () => {
  const clock = fixedClock();
  const tokens = createEngineTokens(await createSigningKeys(clock), clock);
  const permissions = (header: string) => decodeJwt(header.slice(7))['permissions'];
  assert.deepEqual(permissions(tokens.mintToken('alpha.local', 'read')), ['alpha.local:read']);
  assert.deepEqual(permissions(tokens.mintToken('alpha.local', 'write')), ['alpha.local:write']);
  assert.deepEqual(permissions(tokens.mintToken('beta.local', 'write')), ['beta.local:write']);
  assert.deepEqual(permissions(tokens.mintToken('', 'system-admin')), ['temporal-system:admin']);
});

test('no namespace name becomes a system token or another role', async () => {
  const clock = fixedClock();
  const tokens = createEngineTokens(await createSigningKeys(clock), clock);
  for (const id of ['temporal-system', 'Temporal-System', '', 'a:admin', 'temporal-system:admin']) {
    assert.throws(() => tokens.mintToken(id, 'write'), EngineError, id);
  }
  assert.throws(() => tokens.mintToken('alpha.local', 'system-admin'), EngineError);
});

test('a key is published before it signs and after it last signed', async () => {
  const clock = fixedClock();
  const keys = await createSigningKeys(clock);
  const kids = (): string[] => JSON.parse(keys.jwksJson()).keys.map((key: { kid: string }) => key.kid);
  const first = keys.current().kid;
  clock.advance(KEY_LIFE_MS);
  await keys.advance();
  assert.equal(kids().length, 2, 'the next key is published');
  assert.equal(keys.current().kid, first, 'and does not sign yet');
  clock.advance(KEY_OVERLAP_MS);
  await keys.advance();
  assert.equal(keys.current().kid, first, 'nor while the engine has not fetched it');
  keys.markServed();
  await keys.advance();
  const second = keys.current().kid;
  assert.notEqual(second, first);
  assert.deepEqual(new Set(kids()), new Set([first, second]), 'the old key verifies tokens in flight');
  clock.advance(KEY_OVERLAP_MS);
  await keys.advance();
  assert.deepEqual(kids(), [second]);
});

test('the key listener gives public keys only, at one path, on the loopback', async () => {
  const keys = await createSigningKeys(fixedClock());
  const server = await startJwksServer({ keys, port: 0 });
  const base = `http://127.0.0.1:${server.port}`;
  const text = await (await fetch(`${base}/jwks.json`)).text();
  const [key] = JSON.parse(text).keys;
  assert.deepEqual(Object.keys(key).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use']);
  assert.equal((await fetch(`${base}/`)).status, 404);
  assert.equal((await fetch(`${base}/jwks.json`, { method: 'POST' })).status, 404);
  await assert.rejects(fetch(`http://[::1]:${server.port}/jwks.json`));
  await assert.rejects(startJwksServer({ keys, port: server.port }), EngineError);
  await server.close();
  await assert.rejects(fetch(`${base}/jwks.json`));
});
