import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SignJWT } from 'jose';
import {
  closeAll,
  codec,
  headers,
  json,
  payloadsOf,
  plain,
  post,
  start,
  textOf,
  UI,
} from '../testing/served-codec.ts';
import { startTokenIssuer, type TokenIssuer } from '../testing/token-issuer.ts';
import type { RequestReport } from './answering.ts';
import { authorizeToken } from './authorize-token.ts';
import { type CodecServerOptions, createCodecServer } from './codec-server.ts';

describe('who may ask the codec server', () => {
  after(closeAll);
  let issuer: TokenIssuer;
  let encrypted: string;
  const asked: RequestReport[] = [];
  before(async () => {
    issuer = await startTokenIssuer();
    encrypted = json(await codec.encode([plain('secret')]));
  });
  after(() => issuer.close());
  const guarded = (more: Partial<CodecServerOptions> = {}) =>
    start({
      authorize: authorizeToken({ issuer: issuer.issuer, audience: 'codec' }),
      allowAnonymous: false,
      onRequest: (report) => asked.push(report),
      ...more,
    });

  test('T-070a an allowed origin gets its own name and never a wildcard, with credentials only where told', async () => {
    for (const allowCredentials of [false, true]) {
      const url = await start({ allowCredentials });
      const preflight = await fetch(`${url}/decode`, {
        method: 'OPTIONS',
        headers: {
          origin: UI,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'x-namespace',
        },
      });
      assert.equal(preflight.status, 204);
      const given = Object.fromEntries([...preflight.headers].filter(([name]) => /^access|^vary/.test(name)));
      assert.deepEqual(given, {
        'access-control-allow-origin': UI,
        'access-control-allow-methods': 'POST, OPTIONS',
        'access-control-allow-headers': 'Authorization, Authorization-Extras, Content-Type, X-Namespace',
        'access-control-max-age': '600',
        vary: 'Origin',
        ...(allowCredentials ? { 'access-control-allow-credentials': 'true' } : {}),
      });
      const answer = await post(`${url}/decode`, encrypted, { origin: UI });
      assert.deepEqual([answer.status, answer.headers.get('access-control-allow-origin')], [200, UI]);
    }
  });

  test('T-070a a foreign origin, null, and a look-alike get no CORS grant and nothing decoded', async () => {
    const url = await start({ allowCredentials: true });
    for (const origin of [
      'https://evil.example.com',
      'null',
      '*',
      '',
      'http://ui.example.com',
      'https://ui.example.com.evil.com',
      'https://evilui.example.com',
      'https://ui.example.com:8443',
      'https://UI.example.com',
      `${UI}, https://evil.example.com`,
    ])
      for (const method of ['OPTIONS', 'POST']) {
        const answer = await fetch(`${url}/decode`, {
          method,
          headers: { ...headers, origin, 'access-control-request-method': 'POST' },
          ...(method === 'POST' ? { body: encrypted } : {}),
        });
        assert.equal(answer.status, 403, `${method} ${origin}`);
        assert.deepEqual(
          [...answer.headers.keys()].filter((name) => name.startsWith('access-control')),
          [],
        );
        assert.equal(answer.headers.get('vary'), 'Origin');
        assert.equal(await answer.text(), 'this origin is not allowed\n');
      }
  });

  test('T-070a a wildcard, a pattern, null, an address and foreign plain HTTP are refused as origins', () => {
    for (const origin of [
      '*',
      'null',
      'https://*.example.com',
      `${UI}/`,
      `${UI}/ui`,
      'ui.example.com',
      'http://ui.example.com',
      '',
    ])
      assert.throws(
        () => createCodecServer({ codec: () => codec, allowAnonymous: true, allowedOrigins: [origin] }),
        TypeError,
        origin,
      );
    createCodecServer({
      codec: () => codec,
      allowAnonymous: true,
      allowedOrigins: ['http://localhost:8233'],
    });
    assert.throws(() => createCodecServer({ codec: () => codec }), /say who may decode/);
  });

  test('T-070a a token of the issuer with a permission for the namespace decodes, of both algorithms', async () => {
    const url = await guarded();
    for (const alg of ['RS256', 'ES256'] as const)
      for (const role of ['read', 'write', 'admin', 'Admin']) {
        const token = await issuer.sign({ permissions: [`orders.acme1:${role}`] }, alg);
        const answer = await post(`${url}/decode`, encrypted, { authorization: `Bearer ${token}` });
        assert.equal(textOf((await payloadsOf(answer))[0]), '"secret"');
      }
    assert.deepEqual(
      { ...asked.at(-1), ms: 0 },
      { operation: 'decode', namespace: 'orders.acme1', subject: 'ann', payloads: 1, status: 200, ms: 0 },
    );
  });

  test('T-070a no token, or one that is not good, is 401 and decodes nothing', async () => {
    const url = await guarded();
    const good = { permissions: ['orders.acme1:admin'] };
    const other = await startTokenIssuer();
    const [head = '', body = '', signature = ''] = (await issuer.sign(good)).split('.');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    const tokens: Record<string, string> = {
      empty: '',
      basic: 'Basic YTpi',
      'no scheme': `${head}.${body}.${signature}`,
      expired: `Bearer ${await issuer.sign({ ...good, exp: 1 })}`,
      'of no end': `Bearer ${await new SignJWT({ ...good, iss: issuer.issuer, aud: 'codec' }).setProtectedHeader({ alg: 'RS256', kid: 'RS256' }).sign(issuer.pairs.RS256.privateKey)}`,
      'not yet': `Bearer ${await issuer.sign({ ...good, nbf: 9e9 })}`,
      'another audience': `Bearer ${await issuer.sign({ ...good, aud: 'web' })}`,
      'another issuer': `Bearer ${await issuer.sign({ ...good, iss: other.issuer })}`,
      "another's key": `Bearer ${await other.sign({ ...good, iss: issuer.issuer })}`,
      unsigned: `Bearer ${none}.${body}.`,
      cut: `Bearer ${head}.${body}.${signature.slice(0, -4)}`,
      'of a shared secret': `Bearer ${await new SignJWT({ ...good, iss: issuer.issuer, aud: 'codec' })
        .setExpirationTime('1m')
        .setProtectedHeader({ alg: 'HS256', kid: 'RS256' })
        .sign(Buffer.from(issuer.pairs.RS256.publicKey.export({ type: 'spki', format: 'pem' }).toString()))}`,
    };
    for (const [name, authorization] of Object.entries(tokens)) {
      const answer = await post(`${url}/decode`, encrypted, { authorization });
      assert.equal(answer.status, 401, name);
      assert.deepEqual(
        [answer.headers.get('www-authenticate'), await answer.text()],
        ['Bearer', 'an access token is needed\n'],
      );
    }
    assert.equal((await post(`${url}/decode`, encrypted)).status, 401);
    other.close();
  });

  test('T-070a a token of another namespace, and an X-Namespace that differs, are 403 and decode nothing', async () => {
    const url = await guarded();
    const token = (permissions: unknown) => issuer.sign({ permissions });
    for (const [permissions, namespace] of [
      [['billing.acme1:admin'], 'orders.acme1'],
      [['orders.acme1:admin'], 'billing.acme1'],
      [['orders.acme1:admin'], 'orders.acme1, billing.acme1'],
      [['orders.acme1:admin'], 'Orders.acme1'],
      [
        ['orders.acme1:worker', 'orders.acme1', 'orders.acme1:', ':admin', '*:admin', 7, null],
        'orders.acme1',
      ],
      ['orders.acme1:admin', 'orders.acme1'],
      [{ 'orders.acme1': 'admin' }, 'orders.acme1'],
      [undefined, 'orders.acme1'],
    ] as const) {
      const authorization = `Bearer ${await token(permissions)}`;
      const answer = await post(`${url}/decode`, encrypted, { authorization, 'x-namespace': namespace });
      assert.equal(answer.status, 403, `${JSON.stringify(permissions)} ${namespace}`);
      assert.equal(await answer.text(), 'no permission to decode for this namespace\n');
    }
    const { 'x-namespace': _, ...nameless } = headers;
    const authorization = `Bearer ${await token(['orders.acme1:admin'])}`;
    const without = await fetch(`${url}/decode`, {
      method: 'POST',
      body: encrypted,
      headers: { ...nameless, authorization },
    });
    assert.equal(without.status, 403);
  });

  test('T-070a a permission to read decodes and does not encode', async () => {
    const url = await guarded();
    for (const [role, status] of [
      ['read', 403],
      ['write', 200],
    ] as const) {
      const authorization = `Bearer ${await issuer.sign({ permissions: [`orders.acme1:${role}`] })}`;
      assert.equal((await post(`${url}/encode`, json([plain('x')]), { authorization })).status, status);
    }
  });

  test('T-070a who cannot be checked is told to come again, and nothing is decoded', async () => {
    const token = await issuer.sign({ permissions: ['orders.acme1:admin'] });
    const away = await guarded({
      authorize: authorizeToken({
        issuer: issuer.issuer,
        audience: 'codec',
        jwksUrl: 'http://127.0.0.1:9/keys',
      }),
    });
    assert.equal((await post(`${away}/decode`, encrypted, { authorization: `Bearer ${token}` })).status, 503);
    issuer.metadata(() => ({ issuer: 'https://other.example.com', jwks_uri: `${issuer.issuer}/keys` }));
    const url = await guarded();
    const ask = () => post(`${url}/decode`, encrypted, { authorization: `Bearer ${token}` });
    const answer = await ask();
    assert.deepEqual([answer.status, await answer.text()], [503, 'it cannot be checked now who you are\n']);
    issuer.metadata((own) => ({ issuer: own, jwks_uri: `${own}/keys` }));
    assert.equal((await ask()).status, 200);
  });

  test('T-070a keys of an issuer are only fetched where nobody on the way can answer', () => {
    const settings = { issuer: 'http://id.example.com', audience: 'codec' };
    assert.throws(() => authorizeToken(settings), TypeError);
    assert.throws(
      () =>
        authorizeToken({
          ...settings,
          issuer: 'https://id.example.com',
          jwksUrl: 'http://id.example.com/keys',
        }),
      TypeError,
    );
  });
});
