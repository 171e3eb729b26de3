import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';
import { runStep } from '../parts/run-step.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const own = join(root, 'packages/codec');

const usage = `
const codec = await openEncryptionCodec({ keys: [{ id: 'a', key: new Uint8Array(32) }] });
const [made = {}] = await codec.encode([{ metadata: {}, data: new Uint8Array([7]) }]);
const [back = {}] = await codec.decode([made]);
if (back.data?.[0] !== 7) throw new Error('not what it was');
const server = createCodecServer({ codec: () => codec, allowAnonymous: true });
const answer = await server.fetch(new Request('http://codec/decode', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }));
if (answer.status !== 200) throw new Error('not answered');
const { payloadCodecs, failureConverterPath } = await encryptedDataConverter({ keys: [{ id: 'a', key: new Uint8Array(32) }] });
if (!loadDataConverter({ payloadCodecs, failureConverterPath }).failureConverter) throw new Error('no converter');
console.log(failureConverterPath);
`;
const names = 'encryptedDataConverter, openEncryptionCodec';
const helpers = '@temporalio/common/lib/internal-non-workflow';

/** As it is published: what an application's own project makes of it. */
describe('the package @gatehouse/codec', { concurrency: false }, () => {
  let folder: string;
  let installed: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-codec-package-'));
    installed = join(folder, 'node_modules/@gatehouse/codec');
    await runStep('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: own });
    const [tarball = ''] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
    assert.ok((await stat(join(folder, tarball))).size < 60_000, 'a package of some kilobytes');
    await mkdir(installed, { recursive: true });
    await runStep('tar', ['-xzf', join(folder, tarball), '-C', installed, '--strip-components=1'], {
      cwd: folder,
    });
    for (const name of ['@temporalio', '@types', 'jose', 'undici-types'])
      await symlink(join(root, 'node_modules', name), join(folder, 'node_modules', name));
    await writeFile(
      join(folder, 'common.cjs'),
      `const { ${names} } = require('@gatehouse/codec');
const { createCodecServer } = require('@gatehouse/codec/server');
const { loadDataConverter } = require('${helpers}');
(async () => {${usage}})();`,
    );
    await writeFile(
      join(folder, 'module.mjs'),
      `import { ${names} } from '@gatehouse/codec';
import { createCodecServer } from '@gatehouse/codec/server';
import { loadDataConverter } from '${helpers}/index.js';
${usage}`,
    );
  });
  after(async () => await rm(folder, { recursive: true, force: true }));

  test('it needs no other package to run, and holds nothing but what it needs', async () => {
    const manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
    assert.deepEqual([manifest.dependencies, manifest.optionalDependencies], [undefined, undefined]);
    assert.ok(
      Object.keys(manifest.peerDependencies).every((name) => manifest.peerDependenciesMeta[name].optional),
    );
    const files = await readdir(installed, { recursive: true });
    assert.deepEqual(
      files.filter((name) => /test|src|vectors/.test(name)),
      [],
    );
  });

  test('CommonJS and ES modules load it, on each Node that is here', async () => {
    const programs = new Set([process.execPath, ...(await otherNodes())]);
    for (const node of programs)
      for (const program of ['common.cjs', 'module.mjs'])
        assert.match(
          await runStep(node, [program], { cwd: folder }),
          /failure-converter\.cjs\n$/,
          `${node} ${program}`,
        );
  });

  test('its types are those of the SDK, in projects of both kinds', async () => {
    const body = `import { encryptedDataConverter, keysFromFile, openEncryptionCodec } from '@gatehouse/codec';
import { authorizeToken, createCodecServer } from '@gatehouse/codec/server';
import { failureConverter } from '@gatehouse/codec/failure-converter';
import type { DataConverter, FailureConverter, PayloadCodec } from '@temporalio/common';
export async function main(): Promise<[DataConverter, FailureConverter, PayloadCodec]> {
  const codec = await openEncryptionCodec({ keys: keysFromFile('codec.keys') });
  const authorize = authorizeToken({ issuer: 'https://id.example.com', audience: 'codec' });
  const sdkCodec: PayloadCodec = codec;
  createCodecServer({ codec: () => sdkCodec, authorize });
  createCodecServer({ codec: () => codec, authorize });
  return [await encryptedDataConverter({ keys: keysFromFile('codec.keys') }), failureConverter, codec];
}
`;
    await writeFile(join(folder, 'common.cts'), body);
    await writeFile(join(folder, 'module.mts'), body);
    const options = ['--strict', '--noEmit', '--target', 'es2022', '--types', 'node'];
    for (const module of ['node16', 'nodenext']) {
      const settings = [...options, '--module', module, '--moduleResolution', module];
      await runStep(
        process.execPath,
        [
          join(root, 'node_modules/typescript/bin/tsc'),
          ...settings,
          '--skipLibCheck',
          'common.cts',
          'module.mts',
        ],
        { cwd: folder },
      );
    }
  });

  test('its failure converter is admitted into a Workflow bundle', async () => {
    const path = await runStep(process.execPath, ['common.cjs'], { cwd: folder });
    const { code } = await bundleWorkflowCode({
      workflowsPath: join(root, 'test/workers/typescript/src/workflows.ts'),
      failureConverterPath: path.trim(),
      logger: { info() {}, warn() {}, error() {}, debug() {}, trace() {}, log() {} },
    });
    assert.match(code, /encodeCommonAttributes: true/);
    assert.doesNotMatch(code, /aes-256-gcm/);
  });
});

/** Other versions of Node on the path, such as the machine's own. */
async function otherNodes(): Promise<string[]> {
  const found: string[] = [];
  for (const place of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(place, 'node');
    const isThere = await stat(path).then(
      (it) => it.isFile(),
      () => false,
    );
    if (isThere && !place.includes('node_modules')) found.push(path);
  }
  return found;
}
