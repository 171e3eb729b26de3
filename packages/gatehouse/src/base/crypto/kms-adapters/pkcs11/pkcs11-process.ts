import type { Pkcs11Reply, Pkcs11Request } from './pkcs11-messages.ts';
import { openPkcs11Token, type Pkcs11Token, Pkcs11TokenError } from './pkcs11-token.ts';

/** The process that an HSM's library runs in: it answers in order, and ends with its parent. */
let token: Pkcs11Token | undefined;

function answer(request: Pkcs11Request): Pkcs11Reply {
  const { id } = request;
  try {
    if (request.kind === 'open') {
      token = openPkcs11Token(request);
      const warning = token.isKeyExtractable ? 'the key may be taken out of the token' : undefined;
      return { id, bytes: Buffer.alloc(0), ...(warning === undefined ? {} : { warning }) };
    }
    if (token === undefined) throw new Pkcs11TokenError('unavailable', 'not open');
    return { id, bytes: token[request.kind](request.bytes, request.aad) };
  } catch (error) {
    if (error instanceof Pkcs11TokenError) return { id, fault: error.fault, problem: error.message };
    throw error;
  }
}

process.on('message', (request: Pkcs11Request) => process.send?.(answer(request)));
process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole group: the parent drains, and for that it still needs its keys.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
