import type { Log } from '#base/runtime/log';
import { KmsUnavailableError } from '../../kms.ts';
import type { Pkcs11KmsSpec } from '../kms-spec.ts';
import { type Pkcs11Child, startPkcs11Child } from './pkcs11-child.ts';
import type { Pkcs11Question, Pkcs11Reply } from './pkcs11-messages.ts';

/** A refusal stands this long: to find it out takes a new process, and calls may come by the hundred. */
const REFUSAL_MS = 1000;

/**
 * A session with a token that mends itself: the process it runs in is ended after every trouble and started anew
 * at the next question, so that whatever state the library was in is gone. One question at a time.
 */
export interface Pkcs11Session {
  /** @throws KmsUnavailableError */
  ask(question: Pkcs11Question): Promise<Pkcs11Reply>;
  end(): Promise<void>;
}

export function createPkcs11Session(spec: Pkcs11KmsSpec, log: Log, timeoutMs: number): Pkcs11Session {
  let child: Pkcs11Child | undefined;
  let isEnded = false;
  let isPinRefused = false;
  let refusal: { readonly reply: Pkcs11Reply; readonly endsAtMs: number } | undefined;

  const open = async (opening: Pkcs11Child): Promise<Pkcs11Reply> => {
    const { library, tokenLabel, keyLabel } = spec;
    const pin = spec.pin.reveal().toString('utf8').trim();
    const reply = await opening.ask({ kind: 'open', library, tokenLabel, keyLabel, pin });
    if ('fault' in reply) {
      isPinRefused = reply.fault === 'pin';
    } else if (reply.warning !== undefined) {
      log.warn('the key of the HSM is not as safe as it could be', { problem: reply.warning });
    }
    return reply;
  };

  /** The answer of a process that is started for it. */
  const askAnew = async (question: Pkcs11Question): Promise<Pkcs11Reply> => {
    const started = startPkcs11Child(timeoutMs);
    child = started;
    const opened = await open(started);
    const reply = 'fault' in opened ? opened : await started.ask(question);
    if (!('fault' in reply) || reply.fault === 'unwrap') return reply;
    await started.end();
    if (reply.fault === 'disabled') refusal = { reply, endsAtMs: performance.now() + REFUSAL_MS };
    return reply;
  };

  return {
    async ask(question) {
      if (isEnded) throw new KmsUnavailableError('closed');
      if (isPinRefused) {
        return { id: 0, fault: 'pin', problem: 'the PIN was refused; a restart tries it again' };
      }
      if (refusal !== undefined && performance.now() < refusal.endsAtMs) return refusal.reply;
      refusal = undefined;
      if (child === undefined || !child.isAlive) return await askAnew(question);
      const reply = await child.ask(question);
      if (!('fault' in reply) || reply.fault === 'unwrap') return reply;
      await child.end();
      // A session whose token was away for a while finds no keys for good: only a new one knows.
      return reply.fault === 'disabled' ? await askAnew(question) : reply;
    },
    async end() {
      isEnded = true;
      await child?.end();
    },
  };
}
