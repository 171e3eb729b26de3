import { readFileSync, statSync } from 'node:fs';
import type { ServerCertificate, TokenSettings } from '@gatehouse/codec/server';

/** As typed. */
export interface CodecServerFlags {
  readonly port: number;
  readonly host: string;
  readonly keys: readonly string[];
  readonly origin: readonly string[];
  readonly issuer?: string;
  readonly audience?: string;
  readonly jwks?: string;
  readonly permissionsClaim: string;
  readonly allowAnonymous: boolean;
  readonly allowCredentials: boolean;
  readonly encode: boolean;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/** Keys of one namespace, or of all. */
export interface KeySource {
  /** Undefined: of every namespace that has none of its own. */
  readonly namespace: string | undefined;
  readonly from: { readonly file: string } | { readonly variable: string };
}

/** The flags do not fit together; the message says what would. */
export class CodecServerUsageError extends Error {
  override readonly name = 'CodecServerUsageError';
}

/** Who may decode, or undefined for everybody. @throws CodecServerUsageError where nobody said which. */
export function tokenSettings(flags: CodecServerFlags): TokenSettings | undefined {
  const { issuer, audience, jwks, allowAnonymous, permissionsClaim } = flags;
  if (allowAnonymous) {
    if (issuer !== undefined || audience !== undefined || jwks !== undefined)
      throw new CodecServerUsageError('--allow-anonymous and --issuer exclude each other');
    if (!isLoopback(flags.host))
      throw new CodecServerUsageError(
        '--allow-anonymous is for the loopback alone: leave --host at 127.0.0.1',
      );
    return undefined;
  }
  if (issuer === undefined || audience === undefined)
    throw new CodecServerUsageError(
      'say who may decode: --issuer and --audience of access tokens (or --allow-anonymous on your own machine)',
    );
  return { issuer, audience, permissionsClaim, ...(jwks === undefined ? {} : { jwksUrl: jwks }) };
}

/**
 * Certificate and key as they are in their files now; undefined for plain HTTP on the loopback.
 * @throws CodecServerUsageError where tokens and plaintext would cross a network in clear.
 */
export function readCertificate({ host, tlsCert, tlsKey }: CodecServerFlags): ServerCertificate | undefined {
  if (tlsCert === undefined && tlsKey === undefined) {
    if (isLoopback(host)) return undefined;
    throw new CodecServerUsageError(
      `--host ${host} is reached over a network: give --tls-cert and --tls-key`,
    );
  }
  if (tlsCert === undefined || tlsKey === undefined)
    throw new CodecServerUsageError('--tls-cert and --tls-key belong together');
  const others = statSync(tlsKey).mode & 0o077;
  if (others !== 0 && process.platform !== 'win32')
    throw new Error(`others may read ${tlsKey}: chmod 600 ${tlsKey}`);
  return { cert: readFileSync(tlsCert, 'utf8'), key: readFileSync(tlsKey, 'utf8') };
}

/** Reads `FILE`, `env:NAME`, `NAMESPACE=FILE` or `NAMESPACE=env:NAME`. @throws CodecServerUsageError */
export function keySources(words: readonly string[]): readonly KeySource[] {
  if (words.length === 0)
    throw new CodecServerUsageError('--keys is needed: FILE, env:NAME or NAMESPACE=FILE');
  const sources = words.map((word): KeySource => {
    // A namespace id has no slash, so that a path may hold a `=`.
    const [, namespace, place = ''] = /^(?:([^=/]+)=)?(.+)$/.exec(word) ?? [];
    if (place === '') throw new CodecServerUsageError('--keys takes FILE, env:NAME or NAMESPACE=FILE');
    const from = place.startsWith('env:') ? { variable: place.slice('env:'.length) } : { file: place };
    return { namespace, from };
  });
  const names = sources.map(({ namespace }) => namespace);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (new Set(names).size < names.length)
    throw new CodecServerUsageError(`--keys: ${twice ?? 'every namespace'} has two sources`);
  return sources;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
