import { readFileSync, statSync } from 'node:fs';
import { isAbsolute, resolve, dirname } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { type Config, configSchema } from './schema.ts';

/** One thing that is wrong with a configuration: where, what, and so what to change. */
export interface ConfigFault {
  /** Dotted key, such as `gateway.grpc.address`; empty for the file as a whole. */
  readonly key: string;
  readonly problem: string;
  /** 1-based, where the key stands in the file. */
  readonly line: number | undefined;
}

/** All faults of a configuration at once. Holds no value of it. */
export class ConfigError extends Error {
  readonly faults: readonly ConfigFault[];

  constructor(file: string, faults: readonly ConfigFault[]) {
    const lines = faults.map(({ key, problem, line }) => {
      const place = line === undefined ? '' : ` (line ${line})`;
      return `  ${key === '' ? 'the file' : key}${place}: ${problem}`;
    });
    super(`the configuration ${file} cannot be used:\n${lines.join('\n')}`);
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/** Keys whose values may be references to secrets, by their last name. */
const SECRET_KEYS: ReadonlySet<string> = new Set(['password']);
/** Keys that are paths: taken from where the file lies. */
const PATH_KEYS: ReadonlySet<string> = new Set(['home', 'caFile', 'certificateFile', 'keyFile', 'binary']);

/**
 * Reads and checks a configuration file.
 * @throws ConfigError with every fault.
 */
export function loadConfig(file: string, environment: Readonly<Record<string, string | undefined>>): Config {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(file, [{ key: '', problem: `cannot be read: ${(error as Error).message}`, line: undefined }]);
  }
  return parseConfig(text, { file, folder: dirname(resolve(file)), environment });
}

export interface ParseOptions {
  readonly file: string;
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** @throws ConfigError with every fault. */
export function parseConfig(text: string, options: ParseOptions): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, version: '1.2' });
  if (document.errors.length > 0) {
    throw new ConfigError(
      options.file,
      document.errors.map((error) => ({ key: '', problem: `is not YAML: ${error.code}`, line: error.linePos?.[0].line })),
    );
  }
  const faults: ConfigFault[] = [];
  const lineOf = (path: readonly PropertyKey[]): number | undefined => {
    const node = document.getIn(path as unknown[], true) as { range?: [number, number, number] } | undefined;
    return node?.range === undefined ? undefined : lines.linePos(node.range[0]).line;
  };
  const raw = resolveValues(document.toJS({ maxAliasCount: 0 }), [], options, faults);
  const parsed = configSchema.safeParse(raw);
  if (!parsed.success) for (const issue of parsed.error.issues) faults.push(...faultsOf(issue));
  if (faults.length > 0 || !parsed.success) {
    throw new ConfigError(options.file, faults.map((fault) => ({ ...fault, line: lineOf(fault.key.split('.')) })));
  }
  return parsed.data;
}

function faultsOf(issue: z.core.$ZodIssue): ConfigFault[] {
  const key = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => ({
      key: key === '' ? name : `${key}.${name}`,
      problem: 'is not a known key; see docs/configuration.md for the list',
      line: undefined,
    }));
  }
  return [{ key, problem: issue.message, line: undefined }];
}

/** Resolves references to secrets and relative paths. Everything else stays as it is. */
function resolveValues(value: unknown, path: readonly string[], options: ParseOptions, faults: ConfigFault[]): unknown {
  if (Array.isArray(value)) {
    return value.map((item, index) => resolveValues(item, [...path, String(index)], options, faults));
  }
  if (typeof value === 'object' && value !== null) {
    const resolved: Record<string, unknown> = Object.create(null);
    for (const [key, item] of Object.entries(value)) resolved[key] = resolveValues(item, [...path, key], options, faults);
    return resolved;
  }
  const name = path.at(-1) ?? '';
  if (typeof value !== 'string') return value;
  if (SECRET_KEYS.has(name)) return resolveSecret(value, path, options, faults);
  if (value.includes('${')) {
    faults.push({ key: path.join('.'), problem: '${…} is for secrets only', line: undefined });
  }
  return PATH_KEYS.has(name) && !isAbsolute(value) ? resolve(options.folder, value) : value;
}

function resolveSecret(value: string, path: readonly string[], options: ParseOptions, faults: ConfigFault[]): string {
  const key = path.join('.');
  const fail = (problem: string): string => {
    faults.push({ key, problem, line: undefined });
    return '';
  };
  const fromEnvironment = /^\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(value);
  if (fromEnvironment !== null) {
    return options.environment[fromEnvironment[1] ?? ''] ?? fail(`the environment variable ${fromEnvironment[1]} is not set`);
  }
  if (!value.startsWith('file:')) return fail('a secret must be ${env:NAME} or file:PATH, not the secret itself');
  const file = resolve(options.folder, value.slice('file:'.length));
  try {
    // A secret that others can read is no secret (T-100).
    if ((statSync(file).mode & 0o077) !== 0) return fail(`${file} can be read by other users: chmod 600 ${file}`);
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch {
    return fail(`${file} cannot be read`);
  }
}
