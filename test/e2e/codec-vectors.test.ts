import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { keysFromText, openEncryptionCodec } from '../../packages/codec/src/index.ts';
import { formatPayloads, parsePayloads } from '../../packages/codec/src/server/payloads-json.ts';
import { keyLines, vectorPayloads } from '../codec/vectors.ts';
import { type CodecProgram, prepareCodecProgram } from '../parts/codec-programs.ts';
import { workerLanguages } from '../parts/sdk-workers.ts';

/**
 * The encryption that each SDK's sample shows, through that SDK's own PayloadCodec, and ours: whoever encodes, all
 * others read it. The recorded vectors hold what one run made; here all of them run.
 */
describe('the codec beside the encryption samples of four SDKs', { concurrency: false }, () => {
  const ours: Pick<CodecProgram, 'run'> = {
    async run(operation, keys, payloads) {
      const codec = await openEncryptionCodec({ keys: keysFromText(keys.join('\n')) });
      return formatPayloads(await codec[operation](parsePayloads(Buffer.from(payloads))));
    },
  };
  const everyone = new Map<string, Pick<CodecProgram, 'run'>>([['gatehouse', ours]]);
  const given = JSON.stringify({ payloads: vectorPayloads });

  before(async () => {
    for (const language of workerLanguages) everyone.set(language, await prepareCodecProgram(language));
  });

  for (const from of ['gatehouse', ...workerLanguages]) {
    test(`what ${from} encodes with the old and the new key, all of them decode`, async () => {
      const encoder = everyone.get(from);
      const old = await encoder?.run('encode', keyLines.slice(0, 1), given);
      const newest = await encoder?.run('encode', keyLines, given);
      const mixed = [...payloadsOf(old), ...payloadsOf(newest), ...vectorPayloads];
      const expected = normal([...vectorPayloads, ...vectorPayloads, ...vectorPayloads]);
      // What is encrypted in the vectors themselves, under a key of nobody, is for nobody.
      const readable = mixed.filter((_, index) => index < 20 || index % 10 !== 7);
      const wanted = expected.filter((_, index) => index < 20 || index % 10 !== 7);
      for (const [to, decoder] of everyone) {
        const decoded = await decoder.run('decode', keyLines, JSON.stringify({ payloads: readable }));
        assert.deepEqual(normal(payloadsOf(decoded)), wanted, `${to} decodes what ${from} encoded`);
      }
    });
  }
});

type JsonPayload = Readonly<Record<string, unknown>>;

function payloadsOf(text: string | undefined): JsonPayload[] {
  return (JSON.parse(text ?? '{}') as { payloads: JsonPayload[] }).payloads;
}

/** Without what is empty, and with the entries of each map in one order: protobuf's JSON leaves both open. */
function normal(payloads: readonly JsonPayload[]): unknown[] {
  return payloads.map((payload) => ({
    metadata: Object.entries(payload['metadata'] ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)),
    data: payload['data'] ?? '',
    externalPayloads: payload['externalPayloads'] ?? [],
  }));
}
