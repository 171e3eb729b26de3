import { createSecretKey, type KeyObject } from 'node:crypto';
import type { Kms } from '#base/crypto/kms';
import type { NamespaceRecord } from '#base/model/namespace-record';
import type { WrappedNamespaceKey } from '#base/store/directory';
import { scopeOf, unwrapNamespaceKey } from '../wrapping-words.ts';
import { type Answer, type Answers, type HeldKeys, rowsToAsk } from './held-keys.ts';
import type { KmsQueue, Question } from './kms-queue.ts';

/** One question to the KMS for each row of a namespace that has to be asked about. */
export interface UnwrapRound {
  /** Never rejects: a row that cannot be unwrapped has its error. */
  readonly answers: Promise<Answers>;
  /** A caller waits now. */
  hurry(): void;
}

export interface UnwrapRoundOptions {
  readonly queue: KmsQueue;
  readonly kmsOf: (kmsKeyId: string, record: NamespaceRecord) => Kms | undefined;
}

export function startUnwrapRound(
  { queue, kmsOf }: UnwrapRoundOptions,
  record: NamespaceRecord,
  state: {
    readonly rows: readonly WrappedNamespaceKey[];
    readonly held: HeldKeys;
    readonly isUrgent: boolean;
  },
): UnwrapRound {
  const scope = scopeOf(record);
  const asked = rowsToAsk(state.rows, state.held).map((row) => {
    const question: Question<KeyObject> = queue.put(row.kmsKeyId, state.isUrgent, async () => {
      const kms = kmsOf(row.kmsKeyId, record);
      if (kms === undefined) throw new Error(`KMS key ${row.kmsKeyId} is not configured here`);
      const { key } = await unwrapNamespaceKey(kms, scope, row);
      const object = createSecretKey(key.reveal());
      key.destroy();
      return object;
    });
    const answer = question.answer.then(
      (key): Answer => ({ key }),
      (error: unknown): Answer => ({ error }),
    );
    return { row, question, answer };
  });
  return {
    answers: Promise.all(asked.map(async ({ row, answer }) => [row.id, await answer] as const)).then(
      (answers) => new Map(answers),
    ),
    hurry() {
      for (const { question } of asked) question.hurry();
    },
  };
}
