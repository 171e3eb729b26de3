import { type Kms, UnwrapError } from '../kms.ts';
import { Secret } from '../secret.ts';
import { boundedCall } from './bounded-call.ts';
import type { KeyService } from './key-service.ts';
import { createMark, frameOf, joinWrapped, openFrame, splitWrapped } from './wrapped-form.ts';

/** Makes a {@link Kms} of an adapter: bounded in time, and no answer of the service taken at its word. */
export function openFramedKms(service: KeyService, timeoutMs: number): Kms {
  return {
    keyId: service.keyId,
    async wrap(plaintext, aad) {
      const mark = createMark();
      const frame = frameOf(mark, aad, plaintext.reveal());
      try {
        const ciphertext = await boundedCall(timeoutMs, (signal) => service.encrypt(frame, aad, signal));
        return joinWrapped({ mark, ciphertext });
      } finally {
        frame.fill(0);
      }
    },
    async unwrap(wrapped, aad) {
      const form = splitWrapped(wrapped);
      if (form === undefined) throw new UnwrapError();
      const frame = await boundedCall(timeoutMs, (signal) => service.decrypt(form.ciphertext, aad, signal));
      try {
        const plaintext = openFrame(form.mark, aad, frame);
        if (plaintext === undefined) throw new UnwrapError();
        return new Secret(plaintext);
      } finally {
        frame.fill(0);
      }
    },
    close: () => service.close(),
  };
}
