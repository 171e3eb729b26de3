import { access, constants } from 'node:fs/promises';
import type { Log } from '#base/runtime/log';
import { KmsKeyDisabledError, KmsUnavailableError, UnwrapError } from '../kms.ts';
import type { KeyService } from './key-service.ts';
import type { Pkcs11KmsSpec } from './kms-spec.ts';
import { type Pkcs11Child, startPkcs11Child } from './pkcs11-child.ts';
import type { Pkcs11Question, Pkcs11Reply } from './pkcs11-messages.ts';

/** A refusal stands this long: to find it out takes a new process, and calls may come by the hundred. */
const REFUSAL_MS = 1000;

/**
 * An HSM behind PKCS #11: AES-GCM with a key that never leaves it. Its library runs in a process of its own,
 * which is started anew after every trouble, so that whatever state it was in is gone.
 */
export async function openPkcs11Kms(
  spec: Pkcs11KmsSpec,
  deps: { readonly log: Log; readonly timeoutMs: number },
): Promise<KeyService> {
  await access(spec.library, constants.R_OK).catch((error: unknown) => {
    const problem = `pkcs11 library ${spec.library} cannot be read: install the HSM's client software`;
    throw new Error(problem, { cause: error });
  });
  const keyId = keyIdOf(spec);
  const log = deps.log.with({ kms: keyId });
  let child: Pkcs11Child | undefined;
  let isPinRefused = false;
  let refusal: { readonly reply: Pkcs11Reply; readonly endsAtMs: number } | undefined;
  const start = async (): Promise<Pkcs11Reply> => {
    child = startPkcs11Child(deps.timeoutMs);
    const { library, tokenLabel, keyLabel } = spec;
    const pin = spec.pin.reveal().toString('utf8').trim();
    const reply = await child.ask({ kind: 'open', library, tokenLabel, keyLabel, pin });
    if ('fault' in reply) {
      isPinRefused = reply.fault === 'pin';
      await child.end();
    } else if (reply.warning !== undefined) {
      log.warn('the key of the HSM is not as safe as it could be', { problem: reply.warning });
    }
    return reply;
  };
  const answer = async (question: Pkcs11Question): Promise<Pkcs11Reply> => {
    if (isPinRefused)
      return { id: 0, fault: 'pin', problem: 'the PIN was refused; a restart tries it again' };
    if (refusal !== undefined && performance.now() < refusal.endsAtMs) return refusal.reply;
    const wasRunning = child?.isAlive === true;
    const opened = wasRunning ? undefined : await start();
    if (child === undefined || (opened !== undefined && 'fault' in opened)) return remembered(opened);
    const reply = await child.ask(question);
    if (!('fault' in reply) || reply.fault === 'unwrap') return reply;
    await child.end();
    // A session whose token was away for a while finds no keys for good: only a new one knows.
    return wasRunning && reply.fault === 'disabled' ? await answer(question) : remembered(reply);
  };
  const remembered = (
    reply: Pkcs11Reply = { id: 0, fault: 'unavailable', problem: 'not open' },
  ): Pkcs11Reply => {
    const isRefusal = 'fault' in reply && reply.fault === 'disabled';
    refusal = isRefusal ? { reply, endsAtMs: performance.now() + REFUSAL_MS } : undefined;
    return reply;
  };
  // One call at a time: the library blocks anyway, and so a hung one is known from one that waits its turn.
  let queue: Promise<unknown> = Promise.resolve();
  const ask = (question: Pkcs11Question, signal: AbortSignal): Promise<Buffer> => {
    const turn = queue.then(async () => {
      if (signal.aborted) throw new KmsUnavailableError('the HSM is busy');
      return bytesOf(await answer(question));
    });
    queue = turn.catch(() => undefined);
    return turn;
  };
  return {
    keyId,
    encrypt: (plaintext, aad, signal) => ask({ kind: 'encrypt', bytes: plaintext, aad }, signal),
    decrypt: (ciphertext, aad, signal) => ask({ kind: 'decrypt', bytes: ciphertext, aad }, signal),
    async close() {
      await child?.end();
    },
  };
}

/** In the form of RFC 7512, without what differs between machines. */
function keyIdOf({ tokenLabel, keyLabel }: Pkcs11KmsSpec): string {
  return `pkcs11:token=${encodeURIComponent(tokenLabel)};object=${encodeURIComponent(keyLabel)}`;
}

function bytesOf(reply: Pkcs11Reply): Buffer {
  if (!('fault' in reply)) return Buffer.from(reply.bytes);
  switch (reply.fault) {
    case 'unwrap':
      throw new UnwrapError();
    case 'unavailable':
      throw new KmsUnavailableError(reply.problem);
    case 'pin':
    case 'disabled':
      throw new KmsKeyDisabledError(reply.problem);
  }
}
