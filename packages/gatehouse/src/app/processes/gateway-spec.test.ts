import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { Secret } from '#base/crypto/secret';
import { defaultLimits } from '#base/model/limits';
import { systemClock } from '#base/runtime/clock';
import type { EngineHandle } from '#core/engine/engine-handle';
import type { TokenSigner } from '#core/engine/engine-signing-keys';
import { createEngineFacts, createToldEngine } from './engine-facts.ts';
import { type GatewaySpec, readSpec, writeSpec } from './gateway-spec.ts';

function signerOf(kid: string): TokenSigner {
  return { kid, privateKey: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey };
}

function engineOf(signer: () => TokenSigner, state: () => string = () => 'ready'): EngineHandle {
  return {
    address: { host: '127.0.0.1', port: 7233 },
    tls: { serverName: 'engine', ca: 'ca', cert: 'cert', key: 'key' },
    state,
    signingKey: signer,
  } as unknown as EngineHandle;
}

const kidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.slice('Bearer '.length).split('.')[0] ?? '', 'base64url').toString()).kid;

test('what a process is travels whole, its secrets too, and a secret is one again', () => {
  const signer = signerOf('one');
  const spec: GatewaySpec = {
    slot: 2,
    home: '/srv/home',
    domain: 'gatehouse.example.com',
    region: 'aws-test',
    database: {
      kind: 'postgres',
      connection: {
        host: 'db',
        port: 5432,
        user: 'gatehouse',
        password: new Secret(Buffer.from('pass word')),
        database: 'gatehouse',
        ssl: { ca: 'ca', cert: 'cert', key: new Secret(Buffer.from([0, 255, 1])) },
      },
    },
    kms: {
      platform: { kind: 'vault', address: 'https://v', key: 'k', token: new Secret(Buffer.from('t')) },
      previous: [],
      named: [],
    },
    keyLives: { cacheMs: 1 },
    nexusEnabled: false,
    nexusEndpoints: [],
    grpc: { host: '127.0.0.1', port: 7233 },
    identity: { certificate: 'c', privateKey: 'k' },
    allowTls12: false,
    limits: defaultLimits,
    engine: createEngineFacts(engineOf(() => signer))(),
  };
  const read = readSpec(writeSpec(spec));
  assert.ok('connection' in read.database);
  assert.ok(read.database.connection.password instanceof Secret);
  assert.equal(read.database.connection.password.reveal().toString(), 'pass word');
  assert.deepEqual(read.database.connection.ssl?.key?.reveal(), Buffer.from([0, 255, 1]));
  assert.ok(read.kms.platform.kind === 'vault' && read.kms.platform.token.reveal().toString() === 't');
  assert.deepEqual({ ...read, database: 0, kms: 0 }, { ...spec, database: 0, kms: 0 });
});

test('the facts of the engine are the same object until one of them changes', () => {
  let signer = signerOf('one');
  let state = 'ready';
  const facts = createEngineFacts(
    engineOf(
      () => signer,
      () => state,
    ),
  );
  const first = facts();
  assert.equal(facts(), first);
  state = 'restarting';
  const second = facts();
  assert.notEqual(second, first);
  signer = signerOf('two');
  assert.equal(facts().signingKey.kid, 'two');
});

test('T-057 a process signs with the key that it was told of last', () => {
  let signer = signerOf('one');
  const facts = createEngineFacts(engineOf(() => signer));
  const told = createToldEngine(facts(), systemClock);
  assert.equal(kidOf(told.tokens.mintToken('orders.acme1', 'read')), 'one');
  signer = signerOf('two');
  told.follow(facts());
  assert.equal(kidOf(told.tokens.mintToken('billing.acme1', 'read')), 'two');
});
