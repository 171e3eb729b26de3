import { randomBytes, timingSafeEqual } from 'node:crypto';
import pkcs11js, { type Handle, type Mechanism, type PKCS11 } from 'pkcs11js';
import type { Pkcs11Fault, Pkcs11Place } from './pkcs11-messages.ts';

const IV_BYTES = 12;
const TAG_BYTES = 16;
/** What some libraries ask for above the exact length. */
const SPARE_BYTES = 64;

/** What a call of the library ended with, in the words of `kms.ts`. */
export class Pkcs11TokenError extends Error {
  readonly fault: Pkcs11Fault;

  constructor(fault: Pkcs11Fault, problem: string) {
    super(problem);
    this.name = 'Pkcs11TokenError';
    this.fault = fault;
  }
}

/** A session with one token, logged in. All calls block. */
export interface Pkcs11Token {
  /** Is the key one that the token gives out? */
  readonly isKeyExtractable: boolean;
  /** IV (12) | ciphertext | tag (16), AES-GCM in the token. @throws Pkcs11TokenError */
  encrypt(plaintext: Uint8Array, aad: string): Buffer;
  /** @throws Pkcs11TokenError */
  decrypt(ciphertext: Uint8Array, aad: string): Buffer;
}

/** @throws Pkcs11TokenError */
export function openPkcs11Token(place: Pkcs11Place): Pkcs11Token {
  return named(() => {
    const module = new pkcs11js.PKCS11();
    module.load(place.library);
    module.C_Initialize();
    const slot = findSlot(module, place.tokenLabel);
    const session = module.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION);
    module.C_Login(session, pkcs11js.CKU_USER, place.pin);
    // The key is looked for at each call: one that was removed or made anew is never confused with another.
    const key = (): Handle => findKey(module, session, place.keyLabel);
    return {
      isKeyExtractable: isExtractable(module, session, key()),
      encrypt: (plaintext, aad) => named(() => encrypt(module, session, key(), plaintext, aad)),
      decrypt: (ciphertext, aad) =>
        named(
          () => decrypt(module, session, key(), ciphertext, aad),
          () => isWorking(module, session, key()),
        ),
    };
  });
}

function findSlot(module: PKCS11, label: string): Handle {
  const slots = module.C_GetSlotList(true).filter((slot) => {
    try {
      return module.C_GetTokenInfo(slot).label.trimEnd() === label;
    } catch {
      // A slot whose token is being taken out is not the one that we look for.
      return false;
    }
  });
  const [slot] = slots;
  if (slot === undefined) throw new Pkcs11TokenError('unavailable', 'no token has this label');
  if (slots.length > 1) throw new Pkcs11TokenError('unavailable', 'more than one token has this label');
  return slot;
}

function findKey(module: PKCS11, session: Handle, label: string): Handle {
  module.C_FindObjectsInit(session, [
    { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_SECRET_KEY },
    { type: pkcs11js.CKA_KEY_TYPE, value: pkcs11js.CKK_AES },
    { type: pkcs11js.CKA_LABEL, value: label },
  ]);
  const found = module.C_FindObjects(session, 2);
  module.C_FindObjectsFinal(session);
  const [key] = found;
  if (key === undefined) throw new Pkcs11TokenError('disabled', 'no AES key has this label');
  if (found.length > 1) throw new Pkcs11TokenError('disabled', 'more than one AES key has this label');
  return key;
}

function isExtractable(module: PKCS11, session: Handle, key: Handle): boolean {
  const [attribute] = module.C_GetAttributeValue(session, key, [{ type: pkcs11js.CKA_EXTRACTABLE }]);
  return attribute !== undefined && Buffer.isBuffer(attribute.value) && attribute.value[0] === 1;
}

function encrypt(module: PKCS11, session: Handle, key: Handle, plaintext: Uint8Array, aad: string): Buffer {
  const iv = randomBytes(IV_BYTES);
  module.C_EncryptInit(session, mechanism(iv, aad), key);
  const room = Buffer.alloc(plaintext.length + TAG_BYTES + SPARE_BYTES);
  const body = module.C_Encrypt(session, Buffer.from(plaintext), room);
  if (body.length !== plaintext.length + TAG_BYTES) {
    throw new Pkcs11TokenError('disabled', 'its AES-GCM has another form than ours');
  }
  // Read after the call: a token that takes no IV from outside writes its own there.
  return Buffer.concat([iv, body]);
}

function decrypt(module: PKCS11, session: Handle, key: Handle, ciphertext: Uint8Array, aad: string): Buffer {
  if (ciphertext.length < IV_BYTES + TAG_BYTES) throw new Pkcs11TokenError('unwrap', 'too short');
  const iv = Buffer.from(ciphertext.subarray(0, IV_BYTES));
  const body = Buffer.from(ciphertext.subarray(IV_BYTES));
  module.C_DecryptInit(session, mechanism(iv, aad), key);
  return module.C_Decrypt(session, body, Buffer.alloc(body.length + SPARE_BYTES));
}

/** CK_GCM_PARAMS of PKCS #11 2.40 errata 01 and 3.0, with ulIvBits. */
function mechanism(iv: Buffer, aad: string): Mechanism {
  const parameter = {
    type: pkcs11js.CK_PARAMS_AES_GCM_v240,
    iv,
    ivBits: IV_BYTES * 8,
    aad: Buffer.from(aad, 'utf8'),
    tagBits: TAG_BYTES * 8,
  };
  return { mechanism: pkcs11js.CKM_AES_GCM, parameter };
}

/** Does the token still encrypt and decrypt? Tells a refused ciphertext from a broken token. */
function isWorking(module: PKCS11, session: Handle, key: Handle): boolean {
  try {
    const probe = randomBytes(32);
    const sealed = encrypt(module, session, key, probe, 'gatehouse self-check');
    return timingSafeEqual(decrypt(module, session, key, sealed, 'gatehouse self-check'), probe);
  } catch {
    return false;
  }
}

const PIN = new Set(['CKR_PIN_INCORRECT', 'CKR_PIN_INVALID', 'CKR_PIN_LEN_RANGE']);
const UNWRAP = new Set([
  'CKR_ENCRYPTED_DATA_INVALID',
  'CKR_ENCRYPTED_DATA_LEN_RANGE',
  'CKR_AEAD_DECRYPT_FAILED',
]);
/** SoftHSM answers with the first of these to a wrong tag and to a failure of its own alike. */
const UNCLEAR = new Set([
  'CKR_GENERAL_ERROR',
  'CKR_FUNCTION_FAILED',
  'CKR_DATA_INVALID',
  'CKR_ARGUMENTS_BAD',
]);
const DISABLED = new Set([
  'CKR_ACTION_PROHIBITED',
  'CKR_FUNCTION_NOT_SUPPORTED',
  'CKR_KEY_FUNCTION_NOT_PERMITTED',
  'CKR_KEY_SIZE_RANGE',
  'CKR_KEY_TYPE_INCONSISTENT',
  'CKR_MECHANISM_INVALID',
  'CKR_MECHANISM_PARAM_INVALID',
  'CKR_PIN_EXPIRED',
  'CKR_PIN_LOCKED',
  'CKR_USER_PIN_NOT_INITIALIZED',
]);

/** @param isTokenWorking asked where the code leaves open what was at fault. */
function named<T>(call: () => T, isTokenWorking?: () => boolean): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof Pkcs11TokenError) throw error;
    const code = error instanceof Error ? (/CKR_\w+/.exec(error.message)?.[0] ?? '') : '';
    if (PIN.has(code)) throw new Pkcs11TokenError('pin', code);
    if (DISABLED.has(code)) throw new Pkcs11TokenError('disabled', code);
    if (isTokenWorking !== undefined) {
      if (UNWRAP.has(code)) throw new Pkcs11TokenError('unwrap', code);
      if (UNCLEAR.has(code) && isTokenWorking()) throw new Pkcs11TokenError('unwrap', code);
    }
    throw new Pkcs11TokenError('unavailable', code === '' ? 'the library cannot be used' : code);
  }
}
