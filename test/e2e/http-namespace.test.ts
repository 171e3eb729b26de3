import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AttackSite, startAttackSite } from '../../packages/gatehouse/src/testing/attack-site.ts';
import {
  type ClientCredential,
  homeCredential,
} from '../../packages/gatehouse/src/testing/client-credential.ts';
import { counterOf } from '../../packages/gatehouse/src/testing/engine-watch.ts';
import { type ExpectedRecord, expectOneRecord } from '../../packages/gatehouse/src/testing/expect-record.ts';
import {
  type RawHttpAnswer,
  type RawHttpRequest,
  requestRaw,
} from '../../packages/gatehouse/src/testing/raw-http.ts';

// threats.md T-023: over the HTTPS endpoint the namespace stands in the path, which is decoded once and must then
// be exactly the one of the server name. Requests are written byte for byte: a library would tidy their targets.

const A = 'default.local';
const B = 'other.local';
const SEES_A = counterOf('DescribeNamespace', A);

let site: AttackSite;
let credential: ClientCredential;

before(async () => {
  site = await startAttackSite(['other']);
  credential = homeCredential(site.house.endpoint, A);
});
after(() => site.close());

function ask(target: string, request: Partial<RawHttpRequest> = {}): Promise<RawHttpAnswer> {
  return requestRaw(site.house, { namespaceId: A, credential, target, ...request });
}

function recordOf(answer: RawHttpAnswer, expected: ExpectedRecord): Promise<unknown> {
  const requestId = answer.headers['gatehouse-request-id'] ?? '';
  return expectOneRecord(site.house, { requestId }, { kind: 'call', namespace: A, ...expected });
}

async function assertDenied(answer: RawHttpAnswer, name: string): Promise<void> {
  assert.equal(answer.status, 403, `${name}: ${answer.body}`);
  assert.deepEqual(JSON.parse(answer.body), { code: 7, message: 'Request unauthorized.' }, name);
  await recordOf(answer, { outcome: 'refused', reason: 'namespace_mismatch', status: 7 });
}

async function assertMalformed(answer: RawHttpAnswer, name: string): Promise<void> {
  assert.equal(answer.status, 400, `${name}: ${answer.body}`);
  assert.equal(JSON.parse(answer.body).code, 3, name);
  assert.doesNotMatch(answer.body, /other\.local|default\.local/, `${name}: the value is not echoed`);
  await recordOf(answer, { outcome: 'refused', status: 3 });
}

function shownName(answer: RawHttpAnswer): string {
  assert.equal(answer.status, 200, answer.body);
  return JSON.parse(answer.body).namespaceInfo.name;
}

test('T-023 the namespace of the server name is served, also where a character of it is encoded once', async () => {
  const targets = [
    `/api/v1/namespaces/${A}`,
    `/cluster/namespaces/${A}`,
    '/api/v1/namespaces/default%2Elocal',
    '/api/v1/namespaces/%64efault.local',
  ];
  await site.engine.saw({ [SEES_A]: targets.length }, async () => {
    for (const target of targets) {
      const answer = await ask(target);
      assert.equal(shownName(answer), A, target);
      await recordOf(answer, { outcome: 'ok' });
    }
  });
});

test('T-023 another namespace in the path is denied, however it is written', async () => {
  const names = [
    B,
    'other%2elocal',
    'default%252elocal',
    'nowhere.local',
    'DEFAULT.local',
    'default',
    `${A}.local`,
    `${A}%20`,
    `%20${A}`,
    `${A}.`,
    `${A};v=1`,
    `${A};namespace=${B}`,
    `${A}%3bv=1`,
    `${A}%3fx`,
    `${A}%23x`,
    `${A}%5c..%5c${B}`,
    'default.l%D0%BEcal',
    'temporal-system',
    '*',
  ];
  await site.engine.sawNothing(async () => {
    for (const name of names) await assertDenied(await ask(`/api/v1/namespaces/${name}`), name);
    for (const name of [B, 'other%2elocal', `${A};v=1`])
      await assertDenied(await ask(`/namespaces/${name}/workflows`), name);
  });
});

test('T-023 a path that somebody else might read differently is malformed', async () => {
  const targets = [
    `/api/v1/namespaces/${A}%2f..%2f${B}`,
    `/api/v1/namespaces/${B}%2F..%2F${A}`,
    `/api/v1/namespaces/${B}/../${A}`,
    `/api/v1/namespaces/${A}/../${B}`,
    `/api/v1/namespaces/${B}/%2e%2e/${A}`,
    `/api/v1/namespaces/./${A}`,
    `/api/v1/namespaces/%2e/${A}`,
    `//api/v1/namespaces/${A}`,
    `/api/v1//namespaces/${A}`,
    `/api/v1/namespaces//${A}`,
    `/api/v1/namespaces/${A}/`,
    `/api/v1/namespaces/${A}%00`,
    `/api/v1/namespaces/${A}%0d%0ax`,
    `/api/v1/namespaces/${A}%`,
    `/api/v1/namespaces/${A}%zz`,
    '/api/v1/namespaces/default%c0%aelocal',
    `https://${site.host(B)}/api/v1/namespaces/${A}`,
    `https://${site.host(A)}/api/v1/namespaces/${B}`,
  ];
  await site.engine.sawNothing(async () => {
    for (const target of targets) await assertMalformed(await ask(target), target);
  });
});

/** As in the engine's own HTTP API a parameter that the path gives already is passed over. */
test('T-023 a namespace in the query never wins over the one in the path', async () => {
  await site.engine.saw({ [SEES_A]: 3 }, async () => {
    for (const query of [`namespace=${B}`, `namespace=${A}&namespace=${B}`, 'namespace=nowhere.local'])
      assert.equal(shownName(await ask(`/api/v1/namespaces/${A}?${query}`)), A, query);
    await assertDenied(await ask(`/api/v1/namespaces/${B}?namespace=${A}`), 'own namespace in the query');
  });
});

test('T-023 a second namespace in body, header or host is refused', async () => {
  const start = (body: object): Partial<RawHttpRequest> => ({
    method: 'POST',
    headers: ['content-type: application/json'],
    body: JSON.stringify(body),
  });
  const path = `/api/v1/namespaces/${A}`;
  const ways: readonly (readonly [string, string, Partial<RawHttpRequest>])[] = [
    [
      'body',
      `${path}/workflows/x`,
      start({ namespace: B, workflowType: { name: 'x' }, taskQueue: { name: 'x' } }),
    ],
    ['header', path, { headers: [`temporal-namespace: ${B}`] }],
    ['prefixed header', path, { headers: [`grpc-metadata-temporal-namespace: ${B}`] }],
    ['header twice', path, { headers: [`temporal-namespace: ${A}`, `temporal-namespace: ${B}`] }],
    [
      'both headers',
      path,
      { headers: [`temporal-namespace: ${A}`, `Grpc-Metadata-Temporal-Namespace: ${B}`] },
    ],
    ['host', path, { headers: [`host: ${site.host(B)}`] }],
    ['two hosts', path, { headers: [`host: ${site.host(A)}`, `host: ${site.host(B)}`] }],
  ];
  await site.engine.sawNothing(async () => {
    for (const [name, target, request] of ways) {
      const answer = await ask(target, request);
      assert.ok([400, 403].includes(answer.status), `${name}: ${answer.status} ${answer.body}`);
      await recordOf(answer, { outcome: 'refused', reason: /./ });
    }
  });
});

test('T-023 the query may name a namespace by the id of this one and by no other', async () => {
  const { namespaces } = site.house.up.platform.directory.snapshot();
  await site.engine.saw({ [SEES_A]: 1 }, async () => {
    const own = await ask(`/api/v1/namespaces/${A}?id=${namespaces.get(A)?.engineId}`);
    assert.equal(shownName(own), A);
    await assertDenied(await ask(`/api/v1/namespaces/${A}?id=${namespaces.get(B)?.engineId}`), 'foreign id');
  });
});

test('T-023 the certificate of another namespace, or none, gets not a byte from the HTTPS endpoint', async () => {
  await site.engine.sawNothing(async () => {
    const target = `/api/v1/namespaces/${B}`;
    assert.equal((await ask(target, { namespaceId: B })).status, 0);
    assert.equal((await requestRaw(site.house, { namespaceId: B, target })).status, 0);
  });
});
