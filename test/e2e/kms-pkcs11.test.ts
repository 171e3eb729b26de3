import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import {
  type Kms,
  KmsKeyDisabledError,
  KmsUnavailableError,
  UnwrapError,
} from '../../packages/gatehouse/src/base/crypto/kms.ts';
import { openKms } from '../../packages/gatehouse/src/base/crypto/kms-adapters/open-kms.ts';
import { Secret } from '../../packages/gatehouse/src/base/crypto/secret.ts';
import { createLog } from '../../packages/gatehouse/src/base/runtime/log.ts';
import { kmsConformance } from '../../packages/gatehouse/src/testing/kms-conformance.ts';
import { type SoftHsm, startSoftHsm } from '../parts/softhsm.ts';
import { until } from './gatehouse-process.ts';

const TIMEOUT_MS = 1500;
let hsm: SoftHsm;
const logLines: string[] = [];
const log = createLog({ level: 'debug', write: (line) => logLines.push(line) });

before(async () => {
  hsm = await startSoftHsm();
  hsm.createKey('payloads');
  hsm.createKey('other');
});
after(async () => await hsm?.close());

function open(
  change: { keyLabel?: string; tokenLabel?: string; pin?: string; library?: string } = {},
): Promise<Kms> {
  const { pin = hsm.pin, ...labels } = change;
  const { library, tokenLabel } = hsm;
  return openKms(
    {
      kind: 'pkcs11',
      library,
      tokenLabel,
      keyLabel: 'payloads',
      ...labels,
      pin: new Secret(Buffer.from(pin)),
    },
    { log, timeoutMs: TIMEOUT_MS },
  );
}

/** The processes that run the library of the HSM for us. */
function libraryProcesses(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        const isChild =
          readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1] === `${process.pid}`;
        return isChild && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('pkcs11-process');
      } catch {
        // It ended this moment, or is no process at all.
        return false;
      }
    });
}

function stopLibraries(): void {
  for (const pid of libraryProcesses()) {
    try {
      process.kill(pid, 'SIGSTOP');
    } catch {
      // It ended this moment.
    }
  }
}

let stopping: NodeJS.Timeout | undefined;
const troubles: Readonly<Record<string, { begin(): unknown; end(): unknown }>> = {
  'token pulled out': { begin: () => hsm.pullOut(), end: () => hsm.putBack() },
  'library hanging': {
    // The one that runs now, and each that is started before it answers.
    begin() {
      stopLibraries();
      stopping = setInterval(stopLibraries, 5);
    },
    end: () => clearInterval(stopping),
  },
  'key may not encrypt': {
    begin: () => hsm.setUsable('payloads', false),
    end: () => hsm.setUsable('payloads', true),
  },
};

kmsConformance(
  'pkcs11 (SoftHSM)',
  {
    outages: ['token pulled out', 'library hanging'],
    disablings: ['key may not encrypt'],
    // A label is one key: a new one has another label, and is another key.
    hasVersions: false,
    // The lies of a service are tried over HTTP and in framed-kms.test.ts: nothing stands between us and a library.
    canLie: false,
  },
  async () => ({
    open: () => open(),
    openOther: () => open({ keyLabel: 'other' }),
    timeoutMs: TIMEOUT_MS,
    secrets: [hsm.pin],
    logLines,
    begin: async (trouble) => {
      await troubles[trouble]?.begin();
    },
    end: async (trouble) => {
      await troubles[trouble]?.end();
    },
    close: async () => undefined,
  }),
);

const key = (): Secret => new Secret(Buffer.from('a namespace key'));

test('F-06 a library that crashes, or hangs once, in the middle of load costs no call', async () => {
  const kms = await open();
  let isRunning = true;
  const good = [0, 0, 0, 0];
  const load = good.map(async (_, worker) => {
    while (isRunning) {
      const wrapped = await kms.wrap(key(), `row ${worker}`);
      assert.equal((await kms.unwrap(wrapped, `row ${worker}`)).reveal().toString(), 'a namespace key');
      good[worker] = (good[worker] ?? 0) + 1;
    }
  });
  for (const signal of ['SIGKILL', 'SIGSEGV', 'SIGSTOP'] as const) {
    // All of them: one that is in its second try already may not meet a second trouble.
    const before = [...good];
    await until('calls', () => good.every((count, worker) => count > (before[worker] ?? 0) + 5));
    for (const pid of libraryProcesses()) process.kill(pid, signal);
    const after = [...good];
    await until(`calls after ${signal}`, () =>
      good.every((count, worker) => count > (after[worker] ?? 0) + 5),
    );
  }
  isRunning = false;
  await Promise.all(load);
  await kms.close();
  assert.deepEqual(libraryProcesses(), []);
});

test('F-07 a key that is destroyed while calls run is not used, and another of the same label opens nothing of it', async () => {
  hsm.createKey('short-lived');
  const kms = await open({ keyLabel: 'short-lived' });
  const wrapped = await kms.wrap(key(), 'row');
  hsm.destroyKey('short-lived');
  await assert.rejects(kms.unwrap(wrapped, 'row'), KmsKeyDisabledError);
  hsm.createKey('short-lived');
  const other = await open({ keyLabel: 'short-lived' });
  await assert.rejects(other.unwrap(wrapped, 'row'), UnwrapError);
  await other.close();
  // A refusal stands for a second.
  const isOpened = (error: unknown): boolean => error instanceof UnwrapError;
  await until('the new key is seen', () => kms.unwrap(wrapped, 'row').then(() => false, isOpened));
  hsm.createKey('short-lived');
  await assert.rejects(kms.wrap(key(), 'row'), (error) => {
    assert.ok(error instanceof KmsKeyDisabledError);
    assert.match(error.message, /more than one AES key has this label/);
    return true;
  });
  await kms.close();
});

test('a PIN that was refused is not tried again, so that the token does not lock itself', async () => {
  const kms = await open({ pin: '000000' });
  for (let call = 0; call < 20; call += 1) await assert.rejects(kms.wrap(key(), 'row'), KmsKeyDisabledError);
  await kms.close();
  const right = await open();
  await right.wrap(key(), 'row');
  await right.close();
});

test('a key that may be taken out of the token is used, and the log warns of it', async () => {
  hsm.createKey('loose', { isExtractable: true });
  const kms = await open({ keyLabel: 'loose' });
  await kms.wrap(key(), 'row');
  assert.ok(logLines.some((line) => line.includes('may be taken out of the token')));
  await kms.close();
});

test('a token or a library that is not there is told apart', async () => {
  const kms = await open({ tokenLabel: 'elsewhere' });
  await assert.rejects(kms.wrap(key(), 'row'), (error) => {
    assert.ok(error instanceof KmsUnavailableError);
    assert.match(error.message, /no token has this label/);
    return true;
  });
  await kms.close();
  await assert.rejects(
    open({ library: '/nonexistent.so' }),
    /pkcs11 library \/nonexistent.so cannot be read/,
  );
});

test('the name of a key is that of token and object, and the same on every machine', async () => {
  const kms = await open();
  assert.equal(kms.keyId, 'pkcs11:token=gatehouse;object=payloads');
  await kms.close();
});
