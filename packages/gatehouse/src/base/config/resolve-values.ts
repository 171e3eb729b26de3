import { existsSync, readFileSync, statSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { Secret } from '#base/crypto/secret';
import type { ConfigFault } from './config-error.ts';

export interface ResolveOptions {
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Keys whose values are references to secrets, by their last name. */
const SECRET_KEYS: ReadonlySet<string> = new Set([
  'password',
  'token',
  'secretAccessKey',
  'clientSecret',
  'pin',
]);
/** Keys that are paths: relative ones are taken from where the file lies. */
const PATH_KEYS: ReadonlySet<string> = new Set([
  'home',
  'caFile',
  'certificateFile',
  'keyFile',
  'credentialsFile',
  'library',
  'binary',
]);
/** Of these, the files that must be there when the configuration is read. */
const FILE_KEYS: ReadonlySet<string> = new Set([
  'caFile',
  'certificateFile',
  'keyFile',
  'credentialsFile',
  'library',
]);
/** And of these, those that hold a key: for this user only. */
const PRIVATE_KEYS: ReadonlySet<string> = new Set(['keyFile', 'credentialsFile']);

/**
 * Replaces references to secrets by the secrets, and relative paths by absolute ones, and looks at the files.
 * Everything else stays as it is.
 */
export function resolveValues(
  value: unknown,
  options: ResolveOptions,
): { readonly value: unknown; readonly faults: readonly ConfigFault[] } {
  const faults: ConfigFault[] = [];
  const visit = (part: unknown, path: readonly string[]): unknown => {
    if (Array.isArray(part)) return part.map((item, index) => visit(item, [...path, String(index)]));
    if (typeof part === 'object' && part !== null) {
      // A null prototype: a key named __proto__ is an unknown key like any other.
      const resolved: Record<string, unknown> = Object.create(null);
      for (const [key, item] of Object.entries(part)) resolved[key] = visit(item, [...path, key]);
      return resolved;
    }
    return typeof part === 'string' ? resolveText(part, path, options, faults) : part;
  };
  return { value: visit(value, []), faults };
}

function resolveText(
  text: string,
  path: readonly string[],
  options: ResolveOptions,
  faults: ConfigFault[],
): unknown {
  const key = path.join('.');
  const name = path.at(-1) ?? '';
  const fault = (problem: string): undefined => {
    faults.push({ key, problem });
    return undefined;
  };
  if (SECRET_KEYS.has(name)) return resolveSecret(text, options, fault);
  if (text.includes('${')) return fault('has a reference: ${…} is for secrets only, write the value itself');
  // The schema says what is wrong with an empty one.
  if (!PATH_KEYS.has(name) || text === '') return text;
  const file = isAbsolute(text) ? text : resolve(options.folder, text);
  if (FILE_KEYS.has(name) && !isYetToBeMade(file, path)) inspectFile(file, PRIVATE_KEYS.has(name), fault);
  return file;
}

/** The key file of a local KMS is made on first use; one that only opens what is there must be there. */
function isYetToBeMade(file: string, path: readonly string[]): boolean {
  const mayBeMade = path[0] === 'encryption' && path[1] !== 'previousKms' && path.at(-1) === 'keyFile';
  return mayBeMade && !existsSync(file);
}

function resolveSecret(
  text: string,
  options: ResolveOptions,
  fault: (problem: string) => undefined,
): Secret | undefined {
  const variable = /^\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(text)?.[1];
  if (variable !== undefined) {
    const value = options.environment[variable];
    if (value === undefined || value === '')
      return fault(`is empty: set the environment variable ${variable}`);
    return new Secret(Buffer.from(value));
  }
  if (!text.startsWith('file:') || text === 'file:') {
    return fault('is the secret itself: write ${env:NAME} or file:PATH instead, and change the secret');
  }
  const file = resolve(options.folder, text.slice('file:'.length));
  if (!inspectFile(file, true, fault)) return undefined;
  const value = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  return value === '' ? fault(`is empty: write the secret into ${file}`) : new Secret(Buffer.from(value));
}

/** A key that others can read is no key (T-100a). @returns whether the file can be used. */
function inspectFile(file: string, isPrivate: boolean, fault: (problem: string) => undefined): boolean {
  try {
    const stats = statSync(file);
    if (!stats.isFile()) fault(`${file} is not a file`);
    else if (isPrivate && (stats.mode & 0o077) !== 0) {
      fault(`${file} can be read or changed by other users; run: chmod 600 ${file}`);
    } else {
      readFileSync(file);
      return true;
    }
  } catch (error) {
    fault(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`);
  }
  return false;
}
