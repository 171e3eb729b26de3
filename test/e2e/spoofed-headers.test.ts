import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { after, before, type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import {
  HOST,
  NAMESPACE,
  startGatewayFixture,
} from '../../packages/gatehouse/src/planes/gateway/gateway-fixture.test.ts';
import {
  type AttackSite,
  assertRefused,
  describe,
  startAttackSite,
} from '../../packages/gatehouse/src/testing/attack-site.ts';
import { homeCredential } from '../../packages/gatehouse/src/testing/client-credential.ts';
import { counterOf } from '../../packages/gatehouse/src/testing/engine-watch.ts';
import { expectOneRecord } from '../../packages/gatehouse/src/testing/expect-record.ts';

// threats.md T-018: what a client says about itself in headers is no identity. A real house shows that nothing is
// decided by them, and a recording engine behind a real gateway shows that none of them is passed on.

const OWN_ID = 'default.local';
const OTHER_ID = 'other.local';

/** Everything that some proxy, or the engine itself, would take for the word of somebody trusted. */
const spoofed: Readonly<Record<string, string>> = {
  'x-forwarded-client-cert': 'Hash=00;Subject="CN=admin"',
  'x-forwarded-for': '10.0.0.1',
  'x-forwarded-host': `${OTHER_ID}.gatehouse.localhost`,
  'x-real-ip': '10.0.0.1',
  forwarded: 'for=10.0.0.1;host=other',
  'ssl-client-cert': '-----BEGIN%20CERTIFICATE-----',
  'ssl-client-verify': 'SUCCESS',
  'x-ssl-client-cert': 'MIIB',
  'x-amzn-mtls-clientcert': 'MIIB',
  'temporal-principal-type': 'user',
  'temporal-principal-name': 'admin',
  authorization: 'Bearer x',
  'authorization-extras': 'Bearer y',
  'proxy-authorization': 'Basic eDp5',
  'caller-type': 'operator',
  'caller-name': 'temporal-system',
  'call-initiation': 'admin',
  'xdc-redirection': 'true',
  'xdc-redirection-api': 'true',
  'temporal-experiment': 'anything',
  'grpcgateway-authorization': 'Bearer z',
  'grpc-metadata-authorization': 'Bearer z',
  cookie: 'session=1',
};

let site: AttackSite;

before(async () => {
  site = await startAttackSite(['other']);
});
after(() => site.close());

test('T-018 spoofed headers change neither who calls nor what is allowed', async () => {
  const client = site.open(OWN_ID, homeCredential(site.house.endpoint, OWN_ID));
  await site.engine.saw({ [counterOf('DescribeNamespace', OWN_ID)]: 2 }, async () => {
    const principals: unknown[] = [];
    for (const headers of [{}, spoofed]) {
      const answer = await describe(client, OWN_ID, { headers });
      assert.equal(answer.status, 0, answer.message);
      const requestId = String(answer.headers['gatehouse-request-id']);
      const record = await expectOneRecord(site.house, { requestId }, { namespace: OWN_ID, outcome: 'ok' });
      principals.push(`${record['principal']} ${record['credential']} ${record['peer']}`);
    }
    assert.equal(principals[0], principals[1]);
    const crossed = await describe(client, OTHER_ID, { headers: spoofed });
    await assertRefused(site, crossed, { code: 'namespace_mismatch', record: { namespace: OWN_ID } });
  });
});

test('T-018 spoofed headers do not stand for a certificate', async () => {
  await site.engine.sawNothing(async () => {
    const answer = await describe(site.open(OWN_ID), OWN_ID, { headers: spoofed });
    assert.equal(answer.status, -1);
    const foreign = site.open(OWN_ID, homeCredential(site.house.endpoint, OTHER_ID));
    assert.equal((await describe(foreign, OWN_ID, { headers: spoofed })).status, -1);
  });
});

test("T-018 none of them reaches the engine, which gets the gateway's own token instead", async (t: TestContext) => {
  const fixture = await startGatewayFixture(t);
  const { host, port } = fixture.gateway.grpc;
  const session = connect(`https://${HOST}`, {
    createConnection: () => connectTls({ host, port, ALPNProtocols: ['h2'], ...fixture.client }),
  });
  t.after(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': '/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace',
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': '5S',
    'client-name': 'temporal-typescript',
    ...spoofed,
  });
  stream.end(Buffer.alloc(5));
  const trailers = await new Promise<Record<string, unknown>>((resolve) => {
    stream.on('trailers', resolve);
    stream.resume();
  });
  assert.equal(trailers['grpc-status'], '0', String(trailers['grpc-message']));
  assert.equal(fixture.asked.length, 1);
  const headers = { ...fixture.asked[0]?.headers };
  for (const [name, value] of Object.entries(spoofed)) {
    if (name === 'authorization') continue;
    assert.equal(headers[name], undefined, `${name} was passed on`);
    assert.ok(!JSON.stringify(headers).includes(JSON.stringify(value)), `the value of ${name} was passed on`);
  }
  assert.equal(headers['authorization'], `Bearer ${NAMESPACE} read`);
  assert.deepEqual(Object.keys(headers).sort(), [
    ':authority',
    ':method',
    ':path',
    ':scheme',
    'authorization',
    'client-name',
    'content-type',
    'grpc-timeout',
    'te',
  ]);
});
