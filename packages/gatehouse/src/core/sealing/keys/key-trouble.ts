import { KmsUnavailableError } from '#base/crypto/kms';
import type { Log } from '#base/runtime/log';
import type { Answers, KeyVerdict } from './held-keys.ts';

/** Tells the operator what is wrong with a namespace's keys: once of each change, not at every retry. */
export interface KeyTrouble {
  tell(verdict: KeyVerdict | undefined, answers: Answers): void;
}

export function createKeyTrouble(log: Log): KeyTrouble {
  let told = '';
  return {
    tell(verdict, answers) {
      const failed = [...answers].flatMap(([keyId, answer]) =>
        'error' in answer ? [[keyId, answer.error] as const] : [],
      );
      const now = [verdict?.code, ...failed.map(([keyId, error]) => `${keyId} ${nameOf(error)}`)].join('; ');
      if (now === told) return;
      const hadTrouble = told !== '';
      told = now;
      const [, cause] = failed[0] ?? [];
      const fields = {
        keyIds: failed.map(([keyId]) => keyId),
        error: verdict?.cause ?? cause,
        ...(verdict === undefined ? {} : { reason: verdict.code, detail: verdict.detail }),
      };
      if (verdict === undefined && failed.length === 0) {
        if (hadTrouble) log.info("the namespace's keys can be used again");
      } else if (failed.length > 0 && failed.every(([, error]) => error instanceof KmsUnavailableError)) {
        log.warn("the KMS does not answer for the namespace's keys", fields);
      } else if (verdict === undefined) {
        log.error('older namespace keys cannot be unwrapped: what they sealed is refused', {
          ...fields,
          severity: 'high',
        });
      } else {
        log.error("the namespace's keys cannot be used", { ...fields, severity: 'high' });
      }
    },
  };
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'Error';
}
