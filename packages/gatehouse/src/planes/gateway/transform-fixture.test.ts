// No test itself: a permitted call of one namespace, for tests of single stages.

import { Secret } from '#base/crypto/secret';
import { createTokenKeyring, type TokenKeyring } from '#base/crypto/token-keyring';
import { type Frame, wholeFrame } from '#base/model/frame';
import type { DirectorySnapshot, NamespaceRecord } from '#base/model/namespace-record';
import type { CertificatePrincipal } from '#base/model/principal';
import { Refusal, type RefusalCode } from '#base/model/refusals';
import { methodTables } from '#base/proto/wire-tables';
import { toFrame } from '#base/wire/grpc-message';
import { decide } from '#core/access/permit';
import { namespaceRecord } from '#testing/namespace-record';
import type { PermittedCall } from './identified-call.ts';
import type { TransformSettings } from './transform-request.ts';

export const OWN = 'orders.acme1';
export const OTHER = 'billing.other1';
export const OWN_ENGINE_ID = '9b0c7d0a-6c1c-4d1e-8f50-0f3a5ad6c001';
export const OTHER_ENGINE_ID = '11111111-6c1c-4d1e-8f50-0f3a5ad6c001';
export const WORKFLOW = '/temporal.api.workflowservice.v1.WorkflowService/';

export const own: NamespaceRecord = record(OWN, '3f0f8a52-5d2b-4b56-9d5e-1f7f1f5b8e11', OWN_ENGINE_ID);
export const other: NamespaceRecord = record(OTHER, '44444444-5d2b-4b56-9d5e-1f7f1f5b8e11', OTHER_ENGINE_ID);

export const snapshot: DirectorySnapshot = {
  revision: 1,
  confirmedAtMs: 0,
  namespaces: new Map([own, other].map((each) => [each.id, each])),
};

export const keyring: TokenKeyring = createTokenKeyring([
  { id: 1, createdAtMs: 0, key: new Secret(Buffer.alloc(32, 7)) },
]);
export const settings: TransformSettings = { tokenKeys: () => keyring, nexusEnabled: false };

function record(id: string, uuid: string, engineId: string): NamespaceRecord {
  return namespaceRecord({ id, uuid, engineId, nexusEndpoints: ['payments'] });
}

/** A call of a method of WorkflowService, or of a whole path, by one namespace. */
export function permitted(
  method: string,
  namespace: NamespaceRecord = own,
  nexusEnabled = false,
): PermittedCall {
  const path = method.startsWith('/') ? method : WORKFLOW + method;
  const table = methodTables.get(path);
  const principal: CertificatePrincipal = {
    kind: 'certificate',
    namespaceId: namespace.id,
    label: 'certificate:ab',
    credential: 'CN=ca 01',
    fingerprint: 'ab',
    issuer: 'CN=ca',
    serial: '01',
    notAfterMs: 0,
  };
  const permit = decide(principal, path, { nexusEnabled });
  if (table === undefined || permit instanceof Refusal) throw new Error(`not permitted: ${path}`);
  const connection = {
    id: 'c',
    peer: '127.0.0.1:1',
    namespaceId: namespace.id,
    certificates: [],
    tls12: false,
    openedAtMs: 0,
    admitted: true,
  };
  const head = {
    connection,
    requestId: 'r',
    path,
    authority: '',
    namespaceHeaders: [],
    ambiguous: false,
    timeoutMs: undefined,
    metadata: [],
  };
  return { head, principal, namespace, snapshot, permit, method: table };
}

/** What a transformation gives, with its frame in one piece. */
export type Whole<T extends { readonly frame: Frame }> = T & { readonly frame: Buffer };

export function whole<T extends { readonly frame: Frame }>(made: T): Whole<T> {
  return { ...made, frame: wholeFrame(made.frame) };
}

export function frameOf(message: Uint8Array): Buffer {
  return toFrame(message);
}

/** For `assert.throws`: a refusal of this code. */
export function refusal(code: RefusalCode): (error: unknown) => boolean {
  return (error) => {
    if (error instanceof Refusal && error.code === code) return true;
    throw error;
  };
}
