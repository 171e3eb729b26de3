/** What passes between Gatehouse and the process that an HSM's library runs in. */
export type Pkcs11Request = { readonly id: number } & Pkcs11Question;

export type Pkcs11Question =
  | ({ readonly kind: 'open' } & Pkcs11Place)
  | { readonly kind: 'encrypt' | 'decrypt'; readonly bytes: Uint8Array; readonly aad: string };

export interface Pkcs11Place {
  readonly library: string;
  readonly tokenLabel: string;
  readonly keyLabel: string;
  readonly pin: string;
}

/**
 * `unwrap`, `disabled` and `unavailable` are the errors of `kms.ts`; `pin` is a PIN that was refused, to be tried
 * no second time, since a token locks itself after a few.
 */
export type Pkcs11Fault = 'unwrap' | 'disabled' | 'unavailable' | 'pin';

export type Pkcs11Reply =
  | { readonly id: number; readonly bytes: Uint8Array; readonly warning?: string }
  | { readonly id: number; readonly fault: Pkcs11Fault; readonly problem: string };
