import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { processesOf } from './gatehouse-process.ts';

/** Something that must not be seen, and the files of a home that it is in by design. */
export interface Canary {
  readonly name: string;
  /** Every form in which it could be printed. */
  readonly forms: readonly Buffer[];
  readonly belongsIn: readonly string[];
}

/** A secret as bytes, hex, base64, in a URL, and as the runtime prints a buffer. */
export function canary(name: string, secret: string | Buffer, ...belongsIn: readonly string[]): Canary {
  const bytes = Buffer.from(secret);
  const hex = bytes.toString('hex');
  const texts = [
    hex,
    hex.toUpperCase(),
    (hex.slice(0, 64).match(/../g) ?? []).join(' '),
    // Its end depends on what follows.
    bytes.toString('base64').slice(0, Math.floor(bytes.length / 3) * 4),
    bytes.toString('base64url').slice(0, Math.floor(bytes.length / 3) * 4),
    [...bytes.subarray(0, 16)].join(','),
    encodeURIComponent(bytes.toString('latin1')),
  ];
  return { name, forms: [bytes, ...texts.map((text) => Buffer.from(text))], belongsIn };
}

/** A private key: as it is written, and its secret number. */
export function keyCanary(folder: string, file: string): Canary {
  const pem = readFileSync(join(folder, file), 'utf8');
  const { d } = createPrivateKey(pem).export({ format: 'jwk' });
  assert.ok(d !== undefined);
  const line = pem.split('\n')[2];
  assert.ok(line !== undefined && line.length >= 40, file);
  const { forms } = canary(file, Buffer.from(d, 'base64url'));
  return { name: file, forms: [...forms, Buffer.from(line)], belongsIn: [file] };
}

/** Where it was found, as `what in where`. */
export function leaksIn(
  where: string,
  content: Buffer | string,
  canaries: readonly Canary[],
): readonly string[] {
  const bytes = Buffer.from(content);
  return canaries
    .filter(({ forms }) => forms.some((form) => bytes.includes(form)))
    .map(({ name }) => `${name} in ${where}`);
}

/** Everything in a folder but where each canary belongs. */
export function leaksInFiles(folder: string, canaries: readonly Canary[]): readonly string[] {
  return filesOf(folder).flatMap((file) =>
    leaksIn(
      file,
      readFileSync(join(folder, file)),
      canaries.filter(({ belongsIn }) => !belongsIn.some((place) => file.startsWith(place))),
    ),
  );
}

export function filesOf(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

/** What other users, or other processes of this one, see of a process without asking for its memory. */
export function leaksInProcesses(folder: string, canaries: readonly Canary[]): readonly string[] {
  const pids = processesOf(folder);
  assert.ok(pids.length >= 3, 'the platform, the guard and the engine');
  return pids.flatMap((pid) =>
    ['cmdline', 'environ', 'comm'].flatMap((file) =>
      leaksIn(`/proc/${pid}/${file}`, readFileSync(`/proc/${pid}/${file}`), canaries),
    ),
  );
}
