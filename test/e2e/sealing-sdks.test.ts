import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type House, startHouse } from '../../packages/gatehouse/src/testing/house.ts';
import { type WorkerLanguage, workerLanguages } from '../parts/sdk-workers.ts';
import { differences } from './sealing/differences.ts';
import { countSeals } from './sealing/find-unsealed.ts';
import { findWords } from './sealing/find-words.ts';
import { normaliseRun } from './sealing/normalise-run.ts';
import { encodingsOf, type RecordedRun } from './sealing/read-workflows.ts';
import { prepareNamespace, runSdk, type SdkRun } from './sealing/sdk-run.ts';

const SEALED_ATTRIBUTES = ['Customer', 'Labels'];
const FEATURES = 28;
const NESTED = { namespace: 'nested.local', codec: 'zlib' };

/** What the programs say in inputs, results, signals, memos, failures, attributes and so on, and nowhere else. */
const WORDS = [
  ...['héllo', 'Hello, gate', 'asked for', 'at once', 'to the child', 'on time', 'Hello, past'],
  ...['broken at attempt', 'the root of it', 'soon forgotten', 'from the start'],
  ...['from the workflow', 'a summary', 'all the details', 'a short rest', 'a greeting', 'to everybody'],
  ...['first customer', 'second customer', 'green label', 'kept through a reset', 'about this build'],
];

/** The same programs in two houses, one of which seals: what they are told, and what is recorded of them, is the same. */
describe('the SDKs with sealing on, compared with off', { concurrency: false }, () => {
  let sealed: House;
  let plain: House;

  before(async () => {
    const namespaces = ['nested'];
    const encryption = { sealing: 'on', sealedAttributes: SEALED_ATTRIBUTES } as const;
    sealed = await startHouse({ namespaces, encryption });
    plain = await startHouse({ namespaces, encryption: { sealing: 'off' } });
    for (const house of [sealed, plain]) {
      for (const id of ['default.local', 'nested.local']) await prepareNamespace(house, id);
    }
  });
  after(async () => {
    await sealed?.close();
    await plain?.close();
  });

  const runBoth = (language: WorkerLanguage, options?: typeof NESTED): Promise<[SdkRun, SdkRun]> =>
    Promise.all([runSdk(sealed, language, options), runSdk(plain, language, options)]);

  // Each run waits more than it works.
  describe('one language after the other', { concurrency: 2 }, () => {
    for (const language of workerLanguages) {
      test(`everything that the ${language} SDK does has the same results and histories with sealing on and off`, async () => {
        const [on, off] = await runBoth(language);
        assertSame(on, off);
        assertSealed(on.held);
        // That the engine held it in the clear without a seal shows that this was the place to look.
        assert.ok(countSeals([...off.held.flatMap(everythingOf)], SEALED_ATTRIBUTES).unsealed.length > 100);
      });

      test(`with a codec of its own, failures encoded, the same is true of the ${language} SDK, and one layer is opened`, async () => {
        const [on, off] = await runBoth(language, NESTED);
        assertSame(on, off);
        assertSealed(on.held);
        // Notes of the SDK itself and search attributes pass no codec.
        const encodings = encodingsOf(on.seen.flatMap(everythingOf));
        assert.ok((encodings.get('binary/zlib') ?? 0) > 100, JSON.stringify([...encodings]));
        assert.equal(encodings.has('binary/gatehouse'), false);
      });
    }
  });

  test('no file of the sealed home holds a word that a program said, and every word is in the other home', async () => {
    assert.deepEqual(await findWords(sealed.home, WORDS), []);
    assert.deepEqual(await findWords(plain.home, WORDS), WORDS);
  });
});

function assertSame(on: SdkRun, off: SdkRun): void {
  const [onNames = [], offNames = []] = [on, off].map(({ lines }) =>
    lines.flatMap((line) => ('feature' in line ? [String(line['feature'])] : [])).sort(),
  );
  assert.deepEqual(onNames, offNames);
  assert.equal(onNames.length, FEATURES);
  const [sealed, plain] = [on, off].map(({ seen, prefix }) => seen.map((run) => normaliseRun(run, prefix)));
  assert.deepEqual(differences(sealed, plain), []);
}

function assertSealed(held: readonly RecordedRun[]): void {
  const { unsealed, payloads, failures, attributes } = countSeals(
    held.flatMap(everythingOf),
    SEALED_ATTRIBUTES,
  );
  assert.deepEqual(unsealed, []);
  assert.ok(payloads > 100 && failures > 5 && attributes > 5, `${payloads} ${failures} ${attributes}`);
}

function everythingOf({ events, description, listed }: RecordedRun) {
  return [...events, description, listed];
}
