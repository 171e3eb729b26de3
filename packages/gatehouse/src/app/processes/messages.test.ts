import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { format, inspect } from 'node:util';
import { Secret } from '#base/crypto/secret';
import { defaultLimits } from '#base/model/limits';
import { systemClock } from '#base/runtime/clock';
import { createLog } from '#base/runtime/log';
import type { EngineHandle } from '#core/engine/engine-handle';
import type { TokenSigner } from '#core/engine/engine-signing-keys';
import { createEngineFacts, createToldEngine } from './engine-facts.ts';
import type { GatewaySpec } from './gateway-spec.ts';
import { readMessage, type ToProcess, writeMessage } from './messages.ts';

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
  const message = readMessage(writeMessage({ kind: 'start', spec }));
  assert.ok(message.kind === 'start');
  const read = message.spec;
  assert.ok('connection' in read.database);
  assert.ok(read.database.connection.password instanceof Secret);
  assert.equal(read.database.connection.password.reveal().toString(), 'pass word');
  assert.deepEqual(read.database.connection.ssl?.key?.reveal(), Buffer.from([0, 255, 1]));
  assert.ok(read.kms.platform.kind === 'vault' && read.kms.platform.token.reveal().toString() === 't');
  assert.deepEqual({ ...read, database: 0, kms: 0 }, { ...spec, database: 0, kms: 0 });
  assert.deepEqual(
    read.engine.signingKey.privateKey.reveal(),
    signer.privateKey.export({ type: 'pkcs8', format: 'der' }),
  );
});

test('T-082 the key that signs for the engine is not printable by any formatter, before the pipe and behind it', () => {
  const signer = signerOf('one');
  const der = signer.privateKey.export({ type: 'pkcs8', format: 'der' });
  const sent: ToProcess = { kind: 'engine', engine: createEngineFacts(engineOf(() => signer))() };
  const received = readMessage(writeMessage(sent));
  for (const message of [sent, received]) {
    assert.ok(message.kind === 'engine');
    const { signingKey } = message.engine;
    const printed: string[] = [];
    const log = createLog({ level: 'debug', write: (line) => printed.push(line) });
    log.error('a message', {
      message,
      key: signingKey.privateKey,
      error: new Error(`${signingKey.privateKey}`),
    });
    printed.push(
      JSON.stringify(message),
      inspect(message, { depth: Number.POSITIVE_INFINITY, showHidden: true }),
      format('%s %o %O %j', ...new Array(4).fill(signingKey.privateKey)),
    );
    const text = printed.join('\n');
    assert.match(text, /\[secret\]/);
    assert.doesNotMatch(text, /PRIVATE KEY/);
    // The beginning too, which is all that is printed of bytes.
    for (const piece of [der.subarray(12, 36), der.subarray(-240, -216)]) {
      for (const form of [
        piece.toString('base64'),
        piece.toString('hex'),
        piece.toString('latin1'),
        [...piece].join(','),
        [...piece].map((byte) => byte.toString(16).padStart(2, '0')).join(' '),
      ]) {
        assert.ok(!text.includes(form), form);
      }
    }
  }
  assert.ok(writeMessage(sent).includes(der.toString('base64')), 'the pipe alone carries it');
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
