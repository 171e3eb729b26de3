import { KmsKeyDisabledError, KmsUnavailableError } from '../kms.ts';
import type { Secret } from '../secret.ts';
import type { BearerSource } from './https/bearer.ts';
import { fieldOf, textOf } from './https/json-fields.ts';
import { serviceAddress } from './https/service-address.ts';
import type { ServiceClient } from './https/service-client.ts';
import type { AzureKmsSpec } from './kms-spec.ts';
import { loadPackage } from './load-package.ts';

const AUTHORITY = 'https://login.microsoftonline.com';
/** A token is replaced this long before its end: longer than a call with its second try takes. */
const SPARE_MS = 60_000;

/**
 * Tokens of an application with a secret, by the OAuth 2.0 client credentials grant (RFC 6749 section 4.4);
 * without a secret whatever `@azure/identity` finds: workload identity, managed identity, environment.
 */
export async function openAzureTokens(
  spec: AzureKmsSpec,
  vaultHost: string,
  client: ServiceClient,
): Promise<BearerSource> {
  const scope = scopeOf(vaultHost);
  const { tenantId, clientId, clientSecret } = spec;
  const authority = serviceAddress('azure authorityHost', spec.authorityHost ?? AUTHORITY);
  if (clientSecret === undefined) return await openIdentity(spec, scope);
  if (tenantId === undefined || clientId === undefined) {
    throw new Error('azure clientSecret needs tenantId and clientId beside it');
  }
  if (!/^[\w.-]+$/.test(tenantId)) throw new Error('azure tenantId must be an id or a domain');
  const url = `${authority}/${tenantId}/oauth2/v2.0/token`;
  return openApplication({ url, clientId, clientSecret, scope }, client);
}

interface Application {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  readonly scope: string;
}

function openApplication(
  { url, clientId, clientSecret, scope }: Application,
  client: ServiceClient,
): BearerSource {
  let held: { readonly token: string; readonly endsAtMs: number } | undefined;
  return {
    async load(signal) {
      if (held !== undefined && performance.now() < held.endsAtMs) return held.token;
      const body = new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: clientId,
        client_secret: clientSecret.reveal().toString('utf8').trim(),
        scope,
      });
      const { status, json } = await client.call({ method: 'POST', url, headers: {}, body }, signal);
      if (status === 400 || status === 401 || status === 403) {
        throw new KmsKeyDisabledError(`the credentials are refused (status ${status})`);
      }
      const token = textOf(json, 'access_token');
      const seconds = fieldOf(json, 'expires_in');
      if (status !== 200 || token === undefined || typeof seconds !== 'number') {
        throw new KmsUnavailableError(`no access token could be had (status ${status})`);
      }
      held = { token, endsAtMs: performance.now() + seconds * 1000 - SPARE_MS };
      return token;
    },
    forget() {
      held = undefined;
    },
  };
}

async function openIdentity(spec: AzureKmsSpec, scope: string): Promise<BearerSource> {
  const identity = await loadPackage('@azure/identity', () => import('@azure/identity'));
  const { tenantId, clientId, authorityHost } = spec;
  const create = () =>
    new identity.DefaultAzureCredential({
      ...(tenantId === undefined ? {} : { tenantId }),
      ...(authorityHost === undefined ? {} : { authorityHost }),
      ...(clientId === undefined
        ? {}
        : { managedIdentityClientId: clientId, workloadIdentityClientId: clientId }),
    });
  let credential = create();
  return {
    async load(abortSignal) {
      try {
        return (await credential.getToken(scope, { abortSignal })).token;
      } catch (error) {
        // Its errors carry replies of the authority with them: only the kind is kept.
        const status = fieldOf(error, 'statusCode');
        if (status === 400 || status === 401) {
          throw new KmsKeyDisabledError(`the credentials are refused (status ${status})`);
        }
        throw new KmsUnavailableError('no access token could be had');
      }
    },
    forget() {
      credential = create();
    },
  };
}

/** The audience of a vault's cloud: https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates */
function scopeOf(vaultHost: string): string {
  const service = /\.((?:vault|managedhsm)\.(?:azure\.net|azure\.cn|usgovcloudapi\.net))$/.exec(
    vaultHost,
  )?.[1];
  return `https://${service ?? 'vault.azure.net'}/.default`;
}
