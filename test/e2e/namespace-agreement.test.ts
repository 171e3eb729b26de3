import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  type AttackSite,
  assertRefused,
  describe,
  type ExpectedRefusal,
  startAttackSite,
} from '../../packages/gatehouse/src/testing/attack-site.ts';
import {
  type ClientCredential,
  homeCredential,
} from '../../packages/gatehouse/src/testing/client-credential.ts';
import { counterOf } from '../../packages/gatehouse/src/testing/engine-watch.ts';
import { countRefusals, expectOneRecord } from '../../packages/gatehouse/src/testing/expect-record.ts';
import {
  decode,
  encode,
  type RawAnswer,
  type RawClient,
  WORKFLOW_SERVICE,
} from '../../packages/gatehouse/src/testing/grpc-client.ts';

// threats.md 3.3: every mention of a namespace must be the one that the connection is for. T-019b is about API
// keys, which no namespace has yet: it comes with them. T-023 is in http-namespace.test.ts.

const A = 'default.local';
const B = 'other.local';
const DENIED = { code: 'namespace_mismatch' } as const;
const AMBIGUOUS = { code: 'header_ambiguous', publicDetail: 'temporal-namespace' } as const;

let site: AttackSite;
let credentials: Readonly<Record<string, ClientCredential>>;

before(async () => {
  site = await startAttackSite(['other']);
  credentials = { [A]: homeCredential(site.house.endpoint, A), [B]: homeCredential(site.house.endpoint, B) };
});
after(() => site.close());

const openOwn = (id: string): RawClient => site.open(id, credentials[id]);
const told = (namespace: string | string[]): Record<string, string | string[]> => ({
  'temporal-namespace': namespace,
});
const sees = (id: string, count: number): Record<string, number> => ({
  [counterOf('DescribeNamespace', id)]: count,
});

/** The name in the answer to DescribeNamespace: whose data was shown. */
function describedName(answer: RawAnswer): string {
  assert.equal(answer.status, 0, `${answer.message}${answer.failure}`);
  return decode('workflowservice.v1.DescribeNamespaceResponse', answer.body).namespaceInfo.name;
}

interface Cell {
  readonly certificate: string | undefined;
  readonly serverName: string;
  readonly authority: string;
  readonly header: readonly string[];
  readonly message: string;
}

function* cells(): Generator<Cell> {
  for (const certificate of [A, B, undefined])
    for (const serverName of [A, B])
      for (const authority of [site.host(A), site.host(B), site.house.endpoint.grpc])
        for (const header of [[A], [B], [], [A, B]])
          for (const message of [A, B, '']) yield { certificate, serverName, authority, header, message };
}

/** What a cell's answer must be: undefined where everything agrees. */
function refusalOf({ serverName, authority, header, message }: Cell): ExpectedRefusal | undefined {
  // An IP address, an absent header and an empty field say nothing, so they contradict nothing.
  const hosts = [site.host(serverName), site.house.endpoint.grpc];
  if (!hosts.includes(authority)) return DENIED;
  if (header.length > 1) return AMBIGUOUS;
  if (header.some((text) => text !== serverName)) return DENIED;
  return message === '' || message === serverName ? undefined : DENIED;
}

const clients = new Map<string, RawClient>();

/** One connection for all cells that TLS lets through: so no cell can live on what an earlier one was allowed. */
function clientOf(id: string): RawClient {
  const client = clients.get(id) ?? openOwn(id);
  clients.set(id, client);
  return client;
}

/** Isolates each mention: 216 combinations, of which the 16 in which nothing contradicts pass. */
test('T-019a of certificate, server name, authority, header and message only agreement passes', async () => {
  const earlier = (await site.house.events()).length;
  let passed = 0;
  let refused = 0;
  await site.engine.saw({ ...sees(A, 8), ...sees(B, 8) }, async () => {
    for (const cell of cells()) {
      const { certificate, serverName, authority, header, message } = cell;
      const where = JSON.stringify(cell);
      if (certificate !== serverName) {
        // TLS decides: nothing of the call is ever read, so what it says does not matter.
        const client = site.open(
          serverName,
          certificate === undefined ? undefined : credentials[certificate],
        );
        const answer = await describe(client, message, {
          headers: { ':authority': authority, ...told([...header]) },
        });
        assert.equal(answer.status, -1, where);
        refused += 1;
        continue;
      }
      const headers = { ':authority': authority, ...(header.length === 0 ? {} : told([...header])) };
      const answer = await describe(clientOf(serverName), message, { headers });
      const expected = refusalOf(cell);
      if (expected === undefined) {
        assert.equal(describedName(answer), serverName, where);
        passed += 1;
      } else {
        await assertRefused(site, answer, { ...expected, record: { namespace: serverName } });
        refused += 1;
      }
    }
  });
  assert.deepEqual({ passed, refused }, { passed: 16, refused: 200 });
  const recorded = (await site.house.events()).slice(earlier);
  assert.equal(countRefusals(recorded, 'certificate_missing'), 72);
  assert.equal(countRefusals(recorded, 'certificate_not_admitted'), 72);
  assert.equal(
    countRefusals(recorded, 'namespace_mismatch') + countRefusals(recorded, 'header_ambiguous'),
    56,
  );
});

test('T-019a a host of this platform that is no namespace is no neutral authority', async () => {
  const client = openOwn(A);
  const { domain } = site.house.endpoint;
  await site.engine.saw(sees(A, 4), async () => {
    for (const authority of [
      `nowhere.local.${domain}`,
      `x.${A}.${domain}`,
      `local.${domain}`,
      `${site.host(B).toUpperCase()}:7233`,
    ]) {
      const answer = await describe(client, A, { headers: { ':authority': authority } });
      await assertRefused(site, answer, DENIED);
    }
    // What a client may call itself when it was given an address, a port or DNS's own forms.
    for (const authority of [
      'localhost:7233',
      '[::1]:7233',
      `${site.host(A).toUpperCase()}:443`,
      `${site.host(A)}.`,
    ]) {
      const answer = await describe(client, A, { headers: { ':authority': authority } });
      assert.equal(describedName(answer), A, authority);
    }
  });
});

test('T-020 a namespace header that can be read two ways is refused, and the first one never wins', async () => {
  const client = openOwn(A);
  const id = Buffer.from(A).toString('base64');
  const ways: readonly (readonly [Record<string, string | string[]>, ExpectedRefusal])[] = [
    [told([A, B]), AMBIGUOUS],
    [told([B, A]), AMBIGUOUS],
    [told([A, A, B]), AMBIGUOUS],
    [told([A, '']), AMBIGUOUS],
    [told(`${A},${B}`), AMBIGUOUS],
    [told(`${A}, ${A}`), AMBIGUOUS],
    [told(`,${A}`), AMBIGUOUS],
    [{ 'temporal-namespace-bin': id }, { code: 'header_ambiguous', publicDetail: 'temporal-namespace-bin' }],
    [
      { ...told(A), 'temporal-namespace-bin': id },
      { code: 'header_ambiguous', publicDetail: 'temporal-namespace-bin' },
    ],
  ];
  await site.engine.sawNothing(async () => {
    for (const [headers, expected] of ways) {
      const answer = await describe(client, A, { headers });
      assert.equal(answer.status, 3, JSON.stringify(headers));
      await assertRefused(site, answer, { ...expected, record: { namespace: A } });
      assert.ok(!answer.message.includes(B), 'the value is not echoed');
    }
  });
});

test('T-020 the same value twice is one value', async () => {
  const client = openOwn(A);
  await site.engine.saw(sees(A, 1), async () => {
    assert.equal(describedName(await describe(client, A, { headers: told([A, A]) })), A);
    await assertRefused(site, await describe(client, A, { headers: told([B, B]) }), DENIED);
  });
});

/** One step away from the right name, each in another way. */
const nearMisses = [
  ` ${A}`,
  `${A} `,
  `${A}\t`,
  `${A}\0`,
  `${A}.`,
  A.toUpperCase(),
  'Default.local',
  'default',
  'local',
  '.local',
  'default.',
  'default.local.local',
  'default.local.gatehouse.localhost',
  'default.loca',
  'default.locall',
  'default.lосal',
  'default%2elocal',
  'temporal-system',
  '*',
];

test('T-021a a namespace in the message that is not exactly this one is refused', async () => {
  const client = openOwn(A);
  await site.engine.sawNothing(async () => {
    for (const name of [...nearMisses, B, 'nowhere.local']) {
      const answer = await describe(client, name);
      assert.equal(answer.status, 7, JSON.stringify(name));
      await assertRefused(site, answer, { ...DENIED, record: { namespace: A } });
    }
  });
});

test('T-021a a namespace header that is not exactly this one is refused', async () => {
  const client = openOwn(A);
  // HTTP/2 allows neither NUL nor spaces around a value, and the client sends no character beyond ASCII.
  const sendable = nearMisses.filter((name) => /^[\x21-\x7e]+$/.test(name));
  await site.engine.sawNothing(async () => {
    for (const name of [...sendable, '', 'nowhere.local']) {
      const answer = await describe(client, A, { headers: told(name) });
      assert.equal(answer.status, 7, JSON.stringify(name));
      await assertRefused(site, answer, { ...DENIED, record: { namespace: A } });
    }
  });
});

test('T-021a an empty namespace is filled in from the connection', async () => {
  await site.engine.saw({ ...sees(A, 1), ...sees(B, 1) }, async () => {
    for (const id of [A, B]) assert.equal(describedName(await describe(openOwn(id), '')), id);
  });
});

/** DescribeNamespace is the one request open to tenants with an id field; base/proto's tables know of no other. */
test('T-021b a namespace named by its id must be this one', async () => {
  const client = openOwn(A);
  const { namespaces } = site.house.up.platform.directory.snapshot();
  const ownId = namespaces.get(A)?.engineId ?? '';
  const otherId = namespaces.get(B)?.engineId ?? '';
  assert.ok(ownId.length === 36 && otherId.length === 36 && ownId !== otherId);
  const byId = (id: string, namespace = ''): Promise<RawAnswer> =>
    client.call(
      `${WORKFLOW_SERVICE}DescribeNamespace`,
      encode('workflowservice.v1.DescribeNamespaceRequest', { namespace, id }),
    );
  await site.engine.saw(sees(A, 2), async () => {
    assert.equal(describedName(await byId(ownId)), A);
    assert.equal(describedName(await byId(ownId, A)), A);
    const others = [
      otherId,
      '00000000-0000-4000-8000-000000000000',
      ownId.toUpperCase(),
      ` ${ownId}`,
      A,
      B,
      'temporal-system',
    ];
    for (const id of others) {
      await assertRefused(site, await byId(id), { ...DENIED, record: { namespace: A } });
      await assertRefused(site, await byId(id, A), { ...DENIED, record: { namespace: A } });
    }
    await assertRefused(site, await byId(ownId, B), DENIED);
  });
});

const OPERATOR_SERVICE = '/temporal.api.operatorservice.v1.OperatorService/';

test('T-022 methods about namespaces, clusters and search attributes are denied to a namespace credential', async () => {
  const client = openOwn(A);
  const retention = { seconds: 86_400n, nanos: 0 };
  const ws = (name: string, fields = {}) =>
    [WORKFLOW_SERVICE + name, encode(`workflowservice.v1.${name}Request`, fields)] as const;
  const os = (name: string, fields = {}) =>
    [OPERATOR_SERVICE + name, encode(`operatorservice.v1.${name}Request`, fields)] as const;
  const calls = [
    ws('ListNamespaces', { pageSize: 100 }),
    ws('RegisterNamespace', { namespace: 'mine.local', workflowExecutionRetentionPeriod: retention }),
    ws('RegisterNamespace', { namespace: A, workflowExecutionRetentionPeriod: retention }),
    ws('UpdateNamespace', { namespace: A }),
    ws('UpdateNamespace', { namespace: B }),
    ws('DeprecateNamespace', { namespace: A }),
    os('DeleteNamespace', { namespace: A }),
    os('DeleteNamespace', { namespace: B }),
    os('AddSearchAttributes', { namespace: A, searchAttributes: { Mine: 1 } }),
    os('RemoveSearchAttributes', { namespace: A, searchAttributes: ['Mine'] }),
    os('ListClusters'),
    os('AddOrUpdateRemoteCluster', { frontendAddress: '127.0.0.1:1' }),
    os('RemoveRemoteCluster', { clusterName: 'active' }),
    os('ListNexusEndpoints'),
    os('GetNexusEndpoint', { id: 'x' }),
    os('CreateNexusEndpoint'),
    os('UpdateNexusEndpoint'),
    os('DeleteNexusEndpoint'),
    ['/temporal.server.api.adminservice.v1.AdminService/DescribeCluster', new Uint8Array()] as const,
    ['/temporal.server.api.adminservice.v1.AdminService/ListNamespaces', new Uint8Array()] as const,
  ];
  await site.engine.sawNothing(async () => {
    for (const [path, message] of calls) {
      const answer = await client.call(path, message);
      assert.equal(answer.status, 7, `${path}: ${answer.message}`);
      const record = { namespace: A, principal: /^certificate:/, method: /^(temporal\.api\..*|other)$/ };
      await assertRefused(site, answer, { code: 'method_denied', record });
    }
  });
});

test("T-022 what is answered about namespaces and the cluster shows the caller's own alone", async () => {
  const client = openOwn(A);
  const asked = {
    [counterOf('OperatorListSearchAttributes', A)]: 2,
    [counterOf('DescribeNamespace', A)]: 1,
    [counterOf('GetSystemInfo', '_unknown_')]: 1,
  };
  await site.engine.saw(asked, async () => {
    const calls: readonly (readonly [string, Uint8Array])[] = [
      [`${WORKFLOW_SERVICE}GetClusterInfo`, new Uint8Array()],
      [`${WORKFLOW_SERVICE}GetSystemInfo`, new Uint8Array()],
      [`${WORKFLOW_SERVICE}GetSearchAttributes`, new Uint8Array()],
      [`${WORKFLOW_SERVICE}DescribeNamespace`, new Uint8Array()],
      [
        `${OPERATOR_SERVICE}ListSearchAttributes`,
        encode('operatorservice.v1.ListSearchAttributesRequest', { namespace: A }),
      ],
    ];
    for (const [path, message] of calls) {
      const answer = await client.call(path, message);
      assert.equal(answer.status, 0, `${path}: ${answer.message}`);
      const said = Buffer.from(answer.body).toString('latin1') + JSON.stringify(answer.headers);
      assert.doesNotMatch(said, /other\.local|temporal-system|127\.0\.0\.1|"active"/, path);
      const requestId = String(answer.headers['gatehouse-request-id']);
      await expectOneRecord(site.house, { requestId }, { outcome: 'ok', namespace: A });
    }
    const foreign = encode('operatorservice.v1.ListSearchAttributesRequest', { namespace: B });
    await assertRefused(site, await client.call(`${OPERATOR_SERVICE}ListSearchAttributes`, foreign), DENIED);
  });
});

/** Existence is a secret: no byte of an answer may tell a foreign namespace from none. */
test("T-022 a namespace that is somebody else's and one that is nowhere get the same answer", async () => {
  const client = openOwn(A);
  await site.engine.sawNothing(async () => {
    const answers = [await describe(client, B), await describe(client, 'nowhere.local')].map(
      ({ status, message, body, headers }) => {
        const { date: _date, 'gatehouse-request-id': _id, ...rest } = headers;
        return { status, message, body, rest };
      },
    );
    assert.deepEqual(answers[0], answers[1]);
  });
});
