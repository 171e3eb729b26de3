import { CodecRequestError } from './codec-request-error.ts';

export interface CorsSettings {
  /** Exact origins, such as `https://ui.example.com`. No patterns: a browser's page holds a person's token. */
  readonly allowedOrigins: readonly string[];
  /** Let the browser send its cookies, where your own log-in guards this server. */
  readonly allowCredentials: boolean;
}

/** Of the Web UI: `Authorization-Extras` carries an ID token where it has one. */
const REQUEST_HEADERS = 'Authorization, Authorization-Extras, Content-Type, X-Namespace';
const METHODS = 'POST, OPTIONS';

/** So long a browser need not ask again, and so long a removed origin is still tried by open pages. */
const MAX_AGE_SECONDS = 600;

/** What browsers may do here. */
export interface Cors {
  /**
   * The headers of an answer to a page of this origin.
   * @throws CodecRequestError 403 for every other origin, so that nothing is decoded for it either.
   */
  grant(origin: string | undefined): Readonly<Record<string, string>>;
  /** The headers of an answer to a preflight, besides those of `grant`. */
  readonly preflight: Readonly<Record<string, string>>;
}

/** Whoever caches must ask again for another origin, allowed or not. */
const VARY = { Vary: 'Origin' };

/** @throws TypeError for an origin that is a pattern, `null`, a whole address, or plain HTTP to another machine. */
export function createCors({ allowedOrigins, allowCredentials }: CorsSettings): Cors {
  const allowed = new Set(allowedOrigins.map(parseOrigin));
  const credentials = allowCredentials ? { 'Access-Control-Allow-Credentials': 'true' } : {};
  return {
    grant(origin) {
      // No browser's page: the CLI, an SDK.
      if (origin === undefined) return VARY;
      if (!allowed.has(origin)) throw new CodecRequestError(403, 'this origin is not allowed', VARY);
      return { ...VARY, 'Access-Control-Allow-Origin': origin, ...credentials };
    },
    preflight: {
      'Access-Control-Allow-Methods': METHODS,
      'Access-Control-Allow-Headers': REQUEST_HEADERS,
      'Access-Control-Max-Age': String(MAX_AGE_SECONDS),
    },
  };
}

function parseOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // A star in a host name is no wildcard to a browser, and whoever wrote it meant one.
  if (url === undefined || url.origin !== text || text.includes('*'))
    throw new TypeError(
      `${text} is no origin: write scheme, host and port alone, as in https://ui.example.com`,
    );
  const isLocal = url.hostname === 'localhost' || url.hostname === '127.0.0.1' || url.hostname === '[::1]';
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal))
    throw new TypeError(`${text}: an origin must be https, or on this machine`);
  return text;
}
