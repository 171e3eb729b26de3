import { access, constants } from 'node:fs/promises';
import type { Log } from '#base/runtime/log';
import { KmsKeyDisabledError, KmsUnavailableError, UnwrapError } from '../../kms.ts';
import type { KeyService } from '../key-service.ts';
import type { Pkcs11KmsSpec } from '../kms-spec.ts';
import type { Pkcs11Question, Pkcs11Reply } from './pkcs11-messages.ts';
import { createPkcs11Session } from './pkcs11-session.ts';

/**
 * An HSM behind PKCS #11: AES-GCM with a key that never leaves it. Its library runs in a process of its own
 * (pkcs11-child.ts says why).
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
  const session = createPkcs11Session(spec, deps.log.with({ kms: keyId }), deps.timeoutMs);
  // One call at a time: the library blocks anyway, and so a hung one is known from one that waits its turn.
  let queue: Promise<unknown> = Promise.resolve();
  const ask = (question: Pkcs11Question, signal: AbortSignal): Promise<Buffer> => {
    const turn = queue.then(async () => {
      if (signal.aborted) throw new KmsUnavailableError('the HSM is busy');
      return bytesOf(await session.ask(question));
    });
    queue = turn.catch(() => undefined);
    return turn;
  };
  return {
    keyId,
    encrypt: (plaintext, aad, signal) => ask({ kind: 'encrypt', bytes: plaintext, aad }, signal),
    decrypt: (ciphertext, aad, signal) => ask({ kind: 'decrypt', bytes: ciphertext, aad }, signal),
    close: () => session.end(),
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
