import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Command } from 'commander';
import { parseStoredCaBundle } from '#base/pki/ca-bundle';
import { verifyClientCertificate } from '#base/pki/client-certificate';
import { readPem } from '#base/pki/pem';
import { certCommand } from './cert.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-cert-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Types a command line, with `@x` for a file of the test's folder, and gives what it printed. */
async function type(line: string): Promise<string> {
  let printed = '';
  const write = (text: string) => {
    printed += text;
  };
  const command = certCommand({ write });
  const quiet = (each: Command): void => {
    each.exitOverride().configureOutput({ writeErr: write, writeOut: write });
    each.commands.forEach(quiet);
  };
  quiet(command);
  const words = line.split(' ').map((word) => word.replace(/^@/, `${folder}/`));
  await command.parseAsync(words, { from: 'user' });
  return printed;
}

const CA = 'ca --org Acme -d 30d --ca-cert @ca.pem --ca-key @ca.key';
const LEAF = 'leaf --org Acme --ca-cert @ca.pem --ca-key @ca.key --cert @client.pem --key @client.key';

async function modeOf(file: string): Promise<number> {
  return (await stat(join(folder, file))).mode & 0o777;
}

describe('gatehouse cert', () => {
  it('makes a CA and a leaf that the gateway admits, with keys that only their owner can read', async () => {
    await type(CA);
    const printed = await type(`${LEAF} --common-name worker -d 1d --output json`);
    const summary: unknown = JSON.parse(printed);
    assert.deepEqual(Object.keys(summary ?? {}), [
      'certificateFile',
      'keyFile',
      'subject',
      'notAfter',
      'fingerprint',
    ]);
    assert.deepEqual([await modeOf('ca.key'), await modeOf('client.key')], [0o600, 0o600]);
    const bundle = parseStoredCaBundle(await readFile(join(folder, 'ca.pem'), 'utf8'));
    const leaf =
      readPem(await readFile(join(folder, 'client.pem'), 'utf8')).blocks[0]?.der ?? new Uint8Array();
    const verdict = verifyClientCertificate([leaf], bundle, [{ commonName: 'worker' }], Date.now());
    assert.equal(verdict.admitted, true);
  });

  it("takes tcld's long flags too", async () => {
    await type(
      'ca --organization Acme --validity-period 30d10h --ca-certificate-file @a.pem --ca-key-file @a.key --rsa-algorithm',
    );
    const printed = await type(
      'leaf --organization Acme --organization-unit Pay --validity-period 1d --ca-certificate-file @a.pem --ca-key-file @a.key --certificate-file @b.pem --key-file @b.key',
    );
    assert.match(printed, /^subject +O=Acme,OU=Pay$/m);
    assert.equal(
      new X509Certificate(await readFile(join(folder, 'b.pem'))).publicKey.asymmetricKeyType,
      'rsa',
    );
  });

  it('never replaces a file unless it is told to, and then with a new key of mode 0600', async () => {
    await type(CA);
    const before = await readFile(join(folder, 'ca.key'), 'utf8');
    await assert.rejects(type(CA), /ca\.pem already exists; give --force/);
    assert.equal(await readFile(join(folder, 'ca.key'), 'utf8'), before);
    await chmod(join(folder, 'ca.key'), 0o644);
    await type(`${CA} --force`);
    assert.notEqual(await readFile(join(folder, 'ca.key'), 'utf8'), before);
    assert.equal(await modeOf('ca.key'), 0o600);
  });

  it('one path for two files, a missing CA and a bad duration are refused before anything is written', async () => {
    await assert.rejects(type('ca --org Acme -d 30d --ca-cert @x --ca-key @x'), /a path of its own/);
    await assert.rejects(type(LEAF), /--ca-certificate-file: .*ca\.pem cannot be read \(ENOENT\)/);
    await assert.rejects(type(CA.replace('30d', '30w')), /invalid duration/);
    await assert.rejects(type(CA.replace('30d', '2y')), /cannot be more than: 8760h0m0s/);
    await writeFile(join(folder, 'ca.pem'), 'x');
    await writeFile(join(folder, 'ca.key'), 'SECRET');
    await assert.rejects(type(LEAF), (error: Error) => !error.message.includes('SECRET'));
    await assert.rejects(stat(join(folder, 'client.key')));
  });

  it('the help of both commands has examples', async () => {
    for (const name of ['ca', 'leaf']) {
      const printed: string[] = [];
      const help = certCommand().commands.find((command) => command.name() === name);
      help?.configureOutput({ writeOut: (text) => void printed.push(text) }).outputHelp();
      assert.ok(printed.join('').includes(`Examples:\n  $ gatehouse cert ${name} `));
    }
  });
});
