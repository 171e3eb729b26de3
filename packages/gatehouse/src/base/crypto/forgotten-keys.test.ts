import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { hkdfSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { aadOf } from './aead.ts';
import { createNamespaceKeyring, type NamespaceKeyring } from './namespace-keyring.ts';
import { Secret } from './secret.ts';

const SCOPE = ['aws-eu', 'a1b2c', '0195a7c1-0000-7000-8000-000000000001'] as const;
const HOLDER = 'hold-keys';

if (process.argv[2] === HOLDER) {
  holdKeys();
} else {
  test(
    'T-082 after a keyring was told to forget, its keys are nowhere in the memory of the process',
    {
      skip: process.platform === 'linux' ? false : 'reads /proc',
    },
    findForgotten,
  );
}

/** The process that is looked into: makes a keyring of the keys that it is sent, uses it, then forgets it. */
function holdKeys(): void {
  let ring: NamespaceKeyring | undefined;
  process.on('message', (hex: string) => {
    if (hex === 'forget') {
      ring?.forget();
      ring = undefined;
      process.send?.('forgotten');
      return;
    }
    if (hex === 'collect') {
      globalThis.gc?.();
      process.send?.('collected');
      return;
    }
    const [region, account, namespaceUuid] = SCOPE;
    const keys = (['payload', 'attribute'] as const).map((purpose, index) => {
      const bytes = Buffer.from(hex.slice(64 * index, 64 * (index + 1)), 'hex');
      const key = new Secret(bytes);
      bytes.fill(0);
      return { id: `000000000000000${index}`, purpose, createdAtMs: 0, key };
    });
    ring = createNamespaceKeyring({ region, account, namespaceUuid }, keys);
    const box = Buffer.alloc(ring.sealedLength(5));
    ring.sealInto('payload', Buffer.from('hello'), box, 0);
    assert.equal(ring.open('payload', box)?.toString(), 'hello');
    assert.equal(ring.openAttribute('A', ring.sealAttribute('A', 'x') ?? ''), 'x');
    process.send?.(box.toString('hex'));
  });
}

async function findForgotten(t: TestContext): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), [HOLDER], {
    execArgv: ['--conditions=source', '--expose-gc'],
  });
  try {
    const [payload, attribute] = [randomBytes(32), randomBytes(32)];
    const box = Buffer.from(await ask(child, payload.toString('hex') + attribute.toString('hex')), 'hex');
    const derived = (from: Buffer, salt: Buffer, use: string): Buffer =>
      Buffer.from(hkdfSync('sha256', from, salt, aadOf(use, ...SCOPE), 32));
    const needles = {
      payload,
      data: derived(payload, box.subarray(9, 25), 'gatehouse data key'),
      attributeBox: derived(attribute, Buffer.alloc(0), 'gatehouse attribute box'),
    };
    if (!mayRead(child.pid ?? 0)) {
      t.skip('this system does not let a parent read the memory of its child');
      return;
    }
    const before = countInMemory(child.pid ?? 0, needles);
    for (const [name, count] of Object.entries(before)) assert.ok(count > 0, `${name} is not seen in use`);

    assert.equal(await ask(child, 'forget'), 'forgotten');
    let after = before;
    for (let round = 0; round < 50 && Object.values(after).some((count) => count > 0); round += 1) {
      await ask(child, 'collect');
      await pause(20);
      after = countInMemory(child.pid ?? 0, { ...needles, attribute });
    }
    assert.deepEqual(after, { payload: 0, data: 0, attributeBox: 0, attribute: 0 });
  } finally {
    child.kill();
  }
}

async function ask(child: ChildProcess, text: string): Promise<string> {
  const stop = new AbortController();
  const { signal } = stop;
  try {
    const answer = once(child, 'message', { signal });
    const gone = once(child, 'exit', { signal }).then(() => assert.fail('the process that holds keys ended'));
    child.send(text);
    return String((await Promise.race([answer, gone]))[0]);
  } finally {
    stop.abort();
  }
}

function mayRead(pid: number): boolean {
  try {
    closeSync(openSync(`/proc/${pid}/mem`, 'r'));
    return true;
  } catch (error) {
    if (error instanceof Error && /EACCES|EPERM/.test(error.message)) return false;
    throw error;
  }
}

/** How often each needle stands in the writable memory of a process. */
function countInMemory(pid: number, needles: Record<string, Buffer>): Record<string, number> {
  const counts = Object.fromEntries(Object.keys(needles).map((name) => [name, 0]));
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const chunk = Buffer.alloc(4 << 20);
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const found = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
      if (found === null) continue;
      const end = Number.parseInt(found[2] ?? '', 16);
      let at = Number.parseInt(found[1] ?? '', 16);
      while (at < end) {
        const length = readSync(memory, chunk, 0, Math.min(chunk.length, end - at), at);
        if (length === 0) break;
        for (const [name, needle] of Object.entries(needles)) {
          counts[name] = (counts[name] ?? 0) + countIn(chunk.subarray(0, length), needle);
        }
        // Chunks overlap, so that nothing lies across a boundary unseen.
        at += at + length < end ? length - 31 : length;
      }
    }
  } finally {
    closeSync(memory);
  }
  return counts;
}

function countIn(bytes: Buffer, needle: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) count += 1;
  return count;
}
