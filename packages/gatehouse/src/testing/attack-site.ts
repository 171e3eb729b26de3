import assert from 'node:assert/strict';
import type { ConnectionOptions } from 'node:tls';
import type { UpOptions } from '#app/up';
import { refusals } from '#base/model/refusals';
import type { ClientCredential } from './client-credential.ts';
import { type EngineWatch, openEngineWatch } from './engine-watch.ts';
import { type ExpectedRecord, expectOneRecord } from './expect-record.ts';
import {
  type CallOptions,
  encode,
  openRawClient,
  type RawAnswer,
  type RawClient,
  WORKFLOW_SERVICE,
} from './grpc-client.ts';
import { type House, startHouse } from './house.ts';
import { attemptTls, type TlsAttempt } from './tls-attempt.ts';

/** A house with a watch on its engine, and what most attacks begin with. */
export interface AttackSite {
  readonly house: House;
  readonly engine: EngineWatch;
  host(namespaceId: string): string;
  /** A client at a namespace's host, with any certificate or none. Closed with the site. */
  open(namespaceId: string, credential?: ClientCredential, tls?: ConnectionOptions): RawClient;
  /** One handshake at a namespace's host. */
  handshake(namespaceId: string, credential?: ClientCredential, tls?: ConnectionOptions): Promise<TlsAttempt>;
  /** The handshake ends without a byte over TLS, and is recorded once. */
  refusesHandshake(
    namespaceId: string,
    credential: ClientCredential | undefined,
    expected: ExpectedRecord,
  ): Promise<TlsAttempt>;
  close(): Promise<void>;
}

/** What the answer to a refused call must be, on the wire and in the record. */
export interface ExpectedRefusal {
  /** A code of the refusal table: it gives status and text. */
  readonly code: keyof typeof refusals;
  /** What stands after the table's text, such as a field's name. */
  readonly publicDetail?: string;
  readonly record?: ExpectedRecord;
}

export async function startAttackSite(
  namespaces: readonly string[] = [],
  options: Omit<Partial<UpOptions>, 'namespaces'> = {},
): Promise<AttackSite> {
  const house = await startHouse({ ...options, namespaces });
  const engine = await openEngineWatch(house);
  const { endpoint } = house;
  const clients: RawClient[] = [];
  const host = (namespaceId: string): string => `${namespaceId}.${endpoint.domain}`;
  // The home's server certificate covers the hosts of one account; who serves is not what is tested here.
  const anyServer = { checkServerIdentity: () => undefined };

  const handshake: AttackSite['handshake'] = (namespaceId, credential, tls) =>
    attemptTls({
      endpoint,
      serverName: host(namespaceId),
      tls: { ...anyServer, ...tls },
      ...(credential === undefined ? {} : { credential }),
    });
  return {
    house,
    engine,
    host,
    open(namespaceId, credential, tls) {
      const serverName = host(namespaceId);
      const options = { ...anyServer, ...credential, ...tls };
      const client = openRawClient({ endpoint, certificateOf: null, serverName, tls: options });
      clients.push(client);
      return client;
    },
    handshake,
    async refusesHandshake(namespaceId, credential, expected) {
      const attempt = await handshake(namespaceId, credential);
      assert.notEqual(attempt.ended, 'served', `${namespaceId}: the gateway spoke to this client`);
      await expectOneRecord(house, attempt, {
        kind: 'connection',
        outcome: 'refused',
        principal: 'anonymous',
        credential: '',
        namespace: namespaceId,
        method: 'connect',
        status: -1,
        connectionId: /./,
        ...expected,
      });
      return attempt;
    },
    async close() {
      for (const client of clients) client.close();
      engine.close();
      await house.close();
    },
  };
}

/** Asks for a namespace by its name: the smallest call that names one. */
export function describe(client: RawClient, namespace: string, options?: CallOptions): Promise<RawAnswer> {
  const request = encode('workflowservice.v1.DescribeNamespaceRequest', { namespace });
  return client.call(`${WORKFLOW_SERVICE}DescribeNamespace`, request, options);
}

/** Asserts status and text of a refused call, and its one record. */
export async function assertRefused(
  site: AttackSite,
  answer: RawAnswer,
  expected: ExpectedRefusal,
): Promise<void> {
  const { grpc, text } = refusals[expected.code];
  const message = expected.publicDetail === undefined ? text : `${text}: ${expected.publicDetail}`;
  const said = { status: statusNames[answer.status] ?? answer.failure, message: answer.message };
  assert.deepEqual(said, { status: grpc, message });
  assert.equal(answer.body.length, 0);
  const requestId = String(answer.headers['gatehouse-request-id'] ?? '');
  await expectOneRecord(
    site.house,
    { requestId },
    {
      kind: 'call',
      outcome: 'refused',
      status: answer.status,
      reason: expected.code,
      peer: /^127\.0\.0\.1:\d+$/,
      connectionId: /./,
      ...expected.record,
    },
  );
}

const statusNames: Readonly<Record<number, string>> = {
  0: 'OK',
  3: 'INVALID_ARGUMENT',
  7: 'PERMISSION_DENIED',
  12: 'UNIMPLEMENTED',
  14: 'UNAVAILABLE',
  16: 'UNAUTHENTICATED',
};
