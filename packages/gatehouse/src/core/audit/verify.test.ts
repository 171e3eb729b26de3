import assert from 'node:assert/strict';
import { cp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { createAuditSigningKey } from './audit-signing-key.ts';
import { sealLine } from './chain.ts';
import { openTestWriter, sampleEvent, signingKey, temporaryFolder } from './fixture.test.ts';
import { LATEST_CHECKPOINT_FILE, parseWitness } from './latest-checkpoint.ts';
import { listSegments } from './segment-files.ts';
import { type ChainVerdict, verifyChain } from './verify.ts';

/** Files of a chain of 60 calls in several segments, cleanly closed. */
let original: Map<string, string>;
let lastSeq = 0;

before(async (t) => {
  const folder = await temporaryFolder(t as TestContext);
  const writer = await openTestWriter(folder, { segmentBytesMax: 8_000 });
  for (let index = 0; index < 60; index += 1) writer.append(sampleEvent({ requestId: `request-${index}` }));
  await writer.close();
  lastSeq = writer.stats().seq - 1;
  original = new Map();
  for (const { path } of await listSegments(folder)) {
    original.set(path.slice(folder.length + 1), await readFile(path, 'latin1'));
  }
  for (const name of [LATEST_CHECKPOINT_FILE, 'signing-key.pem']) {
    original.set(name, await readFile(join(folder, name), 'latin1'));
  }
});

async function copyWith(t: TestContext, changes: Record<string, string | undefined>): Promise<string> {
  const folder = await temporaryFolder(t);
  for (const [name, text] of [...original, ...Object.entries(changes)]) {
    if (text === undefined) await rm(join(folder, name));
    else await writeFile(join(folder, name), text, 'latin1');
  }
  return folder;
}

const FIRST = '00000001.jsonl';
const SECOND = '00000002.jsonl';
const text = (name: string): string => original.get(name) ?? '';
const linesOf = (name: string): string[] => text(name).trimEnd().split('\n');
const joined = (lines: string[]): string => `${lines.join('\n')}\n`;
const firstSeqOf = (name: string): number => JSON.parse(linesOf(name)[0] ?? '').seq;

async function verifyWithLines(
  t: TestContext,
  name: string,
  change: (lines: string[]) => void,
): Promise<ChainVerdict> {
  const lines = linesOf(name);
  change(lines);
  return await verifyChain(await copyWith(t, { [name]: joined(lines) }));
}

test('a chain as it was written verifies, also copied elsewhere, and is signed to its end', async (t) => {
  const verdict = await verifyChain(await copyWith(t, {}));
  assert.equal(verdict.fault, undefined);
  assert.ok(verdict.segments >= 4);
  assert.equal(verdict.lastSeq, lastSeq);
  assert.equal(verdict.signedSeq, lastSeq);
  assert.equal(verdict.lines, lastSeq + 1);
  assert.equal(verdict.tornBytes, 0);
});

test('T-086 an edited record is named', async (t) => {
  const verdict = await verifyWithLines(t, FIRST, (lines) => {
    lines[5] = (lines[5] ?? '').replace('"ok"', '"error"');
  });
  assert.equal(verdict.fault?.seq, 5);
});

test('T-086 an edited record with its hash made anew is named', async (t) => {
  const verdict = await verifyWithLines(t, FIRST, (lines) => {
    const body = (lines[5] ?? '').replace(/,"hash":"[0-9a-f]*"}$/, '').replace('"ok"', '"error"');
    lines[5] = sealLine(body).line.trimEnd();
  });
  assert.equal(verdict.fault?.seq, 5);
});

test('T-086 a rewritten rest of the chain fails at the next checkpoint', async (t) => {
  let checkpointSeq = -1;
  const verdict = await verifyWithLines(t, FIRST, (lines) => {
    let prev = '';
    for (let index = 5; index < lines.length; index += 1) {
      let body = (lines[index] ?? '').replace(/,"hash":"[0-9a-f]*"}$/, '');
      body =
        index === 5
          ? body.replace('"ok"', '"error"')
          : body.replace(/"prev":"[0-9a-f]*"/, `"prev":"${prev}"`);
      const sealed = sealLine(body);
      lines[index] = sealed.line.trimEnd();
      prev = sealed.hash;
      if (body.includes('"kind":"checkpoint"')) checkpointSeq = index;
    }
  });
  assert.equal(verdict.fault?.seq, checkpointSeq);
  assert.match(verdict.fault?.reason ?? '', /signature does not fit/);
});

test('T-086 a deleted record is named', async (t) => {
  const verdict = await verifyWithLines(t, FIRST, (lines) => lines.splice(6, 1));
  assert.equal(verdict.fault?.seq, 6);
});

test('T-086 two records that changed places are named', async (t) => {
  const verdict = await verifyWithLines(t, FIRST, (lines) =>
    lines.splice(6, 2, lines[7] ?? '', lines[6] ?? ''),
  );
  assert.equal(verdict.fault?.seq, 6);
});

test('T-086 an inserted record is named', async (t) => {
  const forged = sealLine(`{"seq":6,"prev":"${'0'.repeat(64)}","kind":"call"`).line.trimEnd();
  const verdict = await verifyWithLines(t, FIRST, (lines) => lines.splice(6, 0, forged));
  assert.equal(verdict.fault?.seq, 6);
});

test('T-086 a duplicated record is named', async (t) => {
  const verdict = await verifyWithLines(t, FIRST, (lines) => lines.splice(6, 0, lines[5] ?? ''));
  assert.equal(verdict.fault?.seq, 6);
});

test('T-086 an empty line and a line of garbage are named', async (t) => {
  for (const extra of ['', 'x'.repeat(200_000)]) {
    const verdict = await verifyWithLines(t, FIRST, (lines) => lines.splice(6, 0, extra));
    assert.equal(verdict.fault?.seq, 6);
  }
});

test('T-086 two files that changed names are noticed at the first of them', async (t) => {
  const folder = await copyWith(t, { [FIRST]: text(SECOND), [SECOND]: text(FIRST) });
  assert.equal((await verifyChain(folder)).fault?.seq, 0);
});

test('T-086 a file that is missing in the middle is noticed', async (t) => {
  const folder = await copyWith(t, { [SECOND]: undefined });
  assert.equal((await verifyChain(folder)).fault?.seq, firstSeqOf(SECOND));
  await rename(join(folder, '00000003.jsonl'), join(folder, SECOND));
  assert.equal((await verifyChain(folder)).fault?.seq, firstSeqOf(SECOND));
});

test('T-086 a missing first file is noticed', async (t) => {
  assert.equal((await verifyChain(await copyWith(t, { [FIRST]: undefined }))).fault?.seq, 0);
});

test('T-086 a middle file cut at a record boundary is noticed', async (t) => {
  const verdict = await verifyWithLines(t, FIRST, (lines) => lines.splice(-1));
  assert.equal(verdict.fault?.seq, firstSeqOf(SECOND) - 1);
});

test('T-086 a middle file cut inside a record is noticed', async (t) => {
  const folder = await copyWith(t, { [FIRST]: text(FIRST).slice(0, -40) });
  assert.equal((await verifyChain(folder)).fault?.seq, firstSeqOf(SECOND) - 1);
});

test('T-086 a cut tail is noticed by the copy of the latest checkpoint', async (t) => {
  const last = [...original.keys()].filter((name) => name.endsWith('.jsonl')).at(-1) ?? '';
  const verdict = await verifyWithLines(t, last, (lines) => lines.splice(-2));
  assert.equal(verdict.fault?.seq, lastSeq - 1);
  const whole = await verifyChain(await copyWith(t, { [last]: undefined }));
  assert.equal(whole.fault?.seq, firstSeqOf(last));
});

test('T-086 any byte changed anywhere in any file of the chain is found', async (t) => {
  const folder = await copyWith(t, {});
  const names = [...original.keys()].filter((name) => name !== 'signing-key.pem');
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...names),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer({ min: 1, max: 255 }),
      async (name, where, flip) => {
        const bytes = Buffer.from(text(name), 'latin1');
        const at = Math.min(bytes.length - 1, Math.floor(where * bytes.length));
        if (name === LATEST_CHECKPOINT_FILE && at === bytes.length - 1) return;
        bytes[at] = (bytes[at] ?? 0) ^ flip;
        await writeFile(join(folder, name), bytes);
        assert.notEqual((await verifyChain(folder)).fault, undefined);
        await writeFile(join(folder, name), text(name), 'latin1');
      },
    ),
    { numRuns: 300 },
  );
});

test('T-087 a chain written anew with another key fails against the trusted key and against a witness', async (t) => {
  const folder = await temporaryFolder(t);
  const writer = await openTestWriter(folder, { signingKey: createAuditSigningKey() });
  for (let index = 0; index < 100; index += 1) writer.append(sampleEvent());
  await writer.close();
  assert.equal((await verifyChain(folder)).fault, undefined);
  const trusted = await verifyChain(folder, { publicKeyPem: signingKey.publicKeyPem });
  assert.match(trusted.fault?.reason ?? '', /not trusted/);
  const witness = parseWitness(text(LATEST_CHECKPOINT_FILE));
  const witnessed = await verifyChain(folder, { witness });
  assert.equal(witnessed.fault?.seq, lastSeq);
  assert.equal((await verifyChain(await copyWith(t, {}), { witness })).fault, undefined);
});

test('T-087 a chain without any signature does not verify', async (t) => {
  const folder = await temporaryFolder(t);
  await cp(await copyWith(t, {}), folder, { recursive: true });
  const [header = ''] = linesOf(FIRST);
  for (const name of original.keys())
    if (name.endsWith('.jsonl') || name === LATEST_CHECKPOINT_FILE) await rm(join(folder, name));
  await writeFile(join(folder, FIRST), `${header}\n`);
  assert.match((await verifyChain(folder)).fault?.reason ?? '', /no checkpoint/);
});

test('a folder without a chain is an error, not a verified chain', async (t) => {
  const folder = await temporaryFolder(t);
  await assert.rejects(verifyChain(folder, { publicKeyPem: signingKey.publicKeyPem }), /no audit chain/);
});

test('T-087 the copy of a checkpoint in the folder does not stand in for the one from outside', async (t) => {
  const [one, two] = [await temporaryFolder(t), await temporaryFolder(t)];
  for (const folder of [one, two]) await (await openTestWriter(folder)).close();
  const witness = parseWitness(await readFile(join(one, LATEST_CHECKPOINT_FILE), 'latin1'));
  assert.equal((await verifyChain(two, { witness })).fault?.seq, witness[0]?.seq);
});

/** What somebody without the key can do: cut the chain after a line of segment 1, and go on in his own way. */
async function forgedAfter(
  t: TestContext,
  kept: number,
  bodies: { name: string; rest: string }[],
): Promise<string> {
  const gone = [...original.keys()].filter(
    (name) => name.endsWith('.jsonl') || name === LATEST_CHECKPOINT_FILE,
  );
  const folder = await copyWith(t, Object.fromEntries(gone.map((name) => [name, undefined])));
  const lines = linesOf(FIRST).slice(0, kept);
  const files = new Map([[FIRST, joined(lines)]]);
  let prev: string = JSON.parse(lines.at(-1) ?? '').hash;
  for (const [index, { name, rest }] of bodies.entries()) {
    const sealed = sealLine(`{"seq":${kept + index},"prev":"${prev}",${rest}`);
    files.set(name, (files.get(name) ?? '') + sealed.line);
    prev = sealed.hash;
  }
  for (const [name, content] of files) await writeFile(join(folder, name), content, 'latin1');
  return folder;
}

const forgedHeader = (segment: number): string =>
  `"kind":"header","format":1,"chain":"${JSON.parse(linesOf(FIRST)[0] ?? '').chain}","segment":${segment},` +
  `"timeMs":1,"keyId":"${signingKey.keyId}"`;

test('T-086 a closed segment that does not end in a checkpoint is not believed', async (t) => {
  const folder = await forgedAfter(t, 6, [{ name: SECOND, rest: forgedHeader(2) }]);
  assert.match((await verifyChain(folder)).fault?.reason ?? '', /the segment was cut/);
});

test('T-086 a header that names another segment is not believed', async (t) => {
  const closed = linesOf(FIRST).length;
  const folder = await forgedAfter(t, closed, [{ name: SECOND, rest: forgedHeader(3) }]);
  const { fault } = await verifyChain(folder);
  assert.equal(fault?.seq, closed);
  assert.match(fault?.reason ?? '', /segment 3 stands in its place/);
});

test('T-086 a header and a checkpoint that are none, their hashes made anew, are named and not thrown', async (t) => {
  for (const [name, at, fields] of [
    [FIRST, 0, '"kind":"header","format":2,no JSON'],
    [FIRST, 0, '"kind":"header","format":2,"chain":null'],
    [FIRST, 1, '"kind":"checkpoint","chain":5,"signature":"AA=="'],
  ] as const) {
    const verdict = await verifyWithLines(t, name, (lines) => {
      const { seq, prev } = JSON.parse(lines[at] ?? '');
      lines[at] = sealLine(`{"seq":${seq},"prev":"${prev}",${fields}`).line.trimEnd();
    });
    assert.match(verdict.fault?.reason ?? '', /not as it is written/);
    assert.equal(verdict.fault?.seq, at);
  }
});

test('T-087 more records than a writer leaves unsigned are not believed', async (t) => {
  const forged = (count: number) =>
    Array.from({ length: count }, () => ({ name: FIRST, rest: '"kind":"call","x":1' }));
  const few = await verifyChain(await forgedAfter(t, 6, forged(10_000)));
  assert.equal(few.fault, undefined);
  assert.ok(few.lastSeq - few.signedSeq > 10_000);
  const many = await verifyChain(await forgedAfter(t, 6, forged(20_100)));
  assert.match(many.fault?.reason ?? '', /checkpoints are missing/);
});
