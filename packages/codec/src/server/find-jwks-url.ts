/** Where an issuer's public keys are. */
export interface JwksPlace {
  readonly issuer: string;
  readonly jwksUrl?: string;
}

/**
 * The given URL, or what the issuer's own metadata says (OpenID Connect Discovery 1.0, section 4).
 * @throws TypeError for a URL that anybody on the way could answer; Error where the issuer's answer is no metadata.
 */
export async function findJwksUrl({ issuer, jwksUrl }: JwksPlace, timeoutMs: number): Promise<URL> {
  if (jwksUrl !== undefined) return trustedUrl(jwksUrl);
  const metadataUrl = trustedUrl(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  const answer = await fetch(metadataUrl, { signal: AbortSignal.timeout(timeoutMs), redirect: 'error' });
  if (!answer.ok) throw new Error(`the issuer answers ${answer.status} for its metadata`);
  const metadata: unknown = await answer.json();
  if (
    typeof metadata !== 'object' ||
    metadata === null ||
    !('issuer' in metadata) ||
    !('jwks_uri' in metadata)
  )
    throw new Error("the issuer's metadata names no keys");
  // Section 4.3: otherwise one issuer could speak for another.
  if (metadata.issuer !== issuer || typeof metadata.jwks_uri !== 'string')
    throw new Error("the issuer's metadata is another issuer's");
  return trustedUrl(metadata.jwks_uri);
}

/** @throws TypeError */
export function trustedUrl(text: string): URL {
  const url = new URL(text);
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLocal)) return url;
  throw new TypeError(`${url.origin}: keys are only fetched by https, or from this machine`);
}
