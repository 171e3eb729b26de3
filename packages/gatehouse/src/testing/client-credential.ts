import { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { EndpointFile } from '#app/endpoint-file';
import type { MadeCertificate } from '#base/pki/testing-certificates.test';

/** What a client shows: PEM of its certificate, with whatever it sends along, and of its key. */
export interface ClientCredential {
  readonly cert: string;
  readonly key: string;
}

/** A made certificate with its key; `others` are sent after it, in this order. */
export function credentialOf(leaf: MadeCertificate, ...others: readonly MadeCertificate[]): ClientCredential {
  return {
    cert: [leaf, ...others].map(({ pem }) => pem).join(''),
    key: keyPemOf(leaf),
  };
}

export function keyPemOf({ keys }: MadeCertificate): string {
  return KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** The client certificate that the home made for one of its namespaces. */
export function homeCredential(endpoint: EndpointFile, namespaceId: string): ClientCredential {
  const namespace = endpoint.namespaces.find(({ id }) => id === namespaceId);
  if (namespace === undefined) throw new Error(`the home has no namespace ${namespaceId}`);
  return {
    cert: readFileSync(namespace.clientCert, 'utf8'),
    key: readFileSync(namespace.clientKey, 'utf8'),
  };
}
