import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import type { Authorization, AuthorizationRequest, Authorize } from './authorize.ts';
import { findJwksUrl, trustedUrl } from './find-jwks-url.ts';
import { permits } from './namespace-permission.ts';

export interface TokenSettings {
  /** Exactly the claim `iss`. */
  readonly issuer: string;
  /** Exactly the claim `aud`, or one of its values. */
  readonly audience: string;
  /** The issuer's public keys; otherwise its `.well-known/openid-configuration` says where they are. */
  readonly jwksUrl?: string;
  /** The claim that lists `<namespace>:<read|write|admin>`, as the Temporal Server's own authorizer has it. */
  readonly permissionsClaim?: string;
  /** Decides instead of that claim. */
  readonly permits?: (claims: Readonly<Record<string, unknown>>, request: AuthorizationRequest) => boolean;
}

/** What people's identity providers sign with. No `none`, no shared secret. */
const ALGORITHMS = ['RS256', 'ES256'];
const CLOCK_TOLERANCE_SECONDS = 30;
const JWKS_TIMEOUT_MS = 5000;
/** A token that names an unknown key asks the issuer again, but not more often. */
const JWKS_COOLDOWN_MS = 30_000;
const JWKS_MAX_AGE_MS = 600_000;
/** Longer than any access token; a header this long was cut off before. */
const TOKEN_CHARS_MAX = 16_384;

/**
 * Permits whoever brings an access token of this issuer with a permission for the namespace of `X-Namespace`: to
 * decode it takes `read`, to encode `write`. Needs the package `jose`.
 * @throws TypeError where a URL is not https, nor on this machine.
 */
export function authorizeToken(settings: TokenSettings): Authorize {
  const { permissionsClaim = 'permissions' } = settings;
  trustedUrl(settings.jwksUrl ?? settings.issuer);
  const isPermitted = settings.permits ?? ((claims, request) => permits(claims[permissionsClaim], request));
  const verifier = createVerifier(settings);
  return async (request) => {
    const token = bearerToken(request.header('authorization'));
    if (token === undefined) return { outcome: 'unauthenticated', reason: 'no bearer token' };
    const verified = await verifier(token);
    if ('outcome' in verified) return verified;
    const subject = typeof verified.claims.sub === 'string' ? verified.claims.sub : undefined;
    if (request.namespace === undefined || !isPermitted(verified.claims, request))
      return {
        outcome: 'forbidden',
        reason: `${subject ?? 'the token'} has no permission for the namespace`,
      };
    return { outcome: 'permitted', ...(subject === undefined ? {} : { subject }) };
  };
}

type Verified = { readonly claims: JWTPayload } | Extract<Authorization, { outcome: 'unauthenticated' }>;

/** Finds the issuer's keys at the first token, and tries again where they could not be found. */
function createVerifier(settings: TokenSettings): (token: string) => Promise<Verified> {
  const { issuer, audience } = settings;
  let keys: Promise<JWTVerifyGetKey> | undefined;
  return async (token) => {
    const jose = await import('jose');
    keys ??= findJwksUrl(settings, JWKS_TIMEOUT_MS).then((url) =>
      jose.createRemoteJWKSet(url, {
        timeoutDuration: JWKS_TIMEOUT_MS,
        cooldownDuration: JWKS_COOLDOWN_MS,
        cacheMaxAge: JWKS_MAX_AGE_MS,
      }),
    );
    const keySet = await keys.catch((error: unknown) => {
      keys = undefined;
      throw error;
    });
    try {
      const { payload } = await jose.jwtVerify(token, keySet, {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        requiredClaims: ['exp'],
      });
      return { claims: payload };
    } catch (error) {
      // The issuer's keys could not be had: that says nothing of the token.
      const isOurs = error instanceof jose.errors.JWKSTimeout || error instanceof jose.errors.JWKSInvalid;
      if (isOurs || !(error instanceof jose.errors.JOSEError) || error.code === 'ERR_JOSE_GENERIC')
        throw error;
      return { outcome: 'unauthenticated', reason: error.code };
    }
  };
}

function bearerToken(header: string | undefined): string | undefined {
  if (header === undefined || header.length > TOKEN_CHARS_MAX) return undefined;
  return /^bearer +([A-Za-z0-9._-]+)$/i.exec(header)?.[1];
}
