/** A key of the customer's. */
export interface CodecKey {
  /** Stands in clear beside every payload: choose a name that gives nothing away, such as a date. */
  readonly id: string;
  /** 32 bytes, for AES-256. */
  readonly key: Uint8Array;
  /** Not yet, or no longer, used to encrypt. */
  readonly decryptOnly?: boolean;
}

/**
 * Loads the keys, oldest first: the last that is not `decryptOnly` encrypts. Called at the start, and again when a
 * payload names a key that is not among them, so that a rotation needs no restart. Its errors reach whoever starts
 * the codec: they must hold no key.
 */
export type KeyProvider = () => Promise<readonly CodecKey[]>;
