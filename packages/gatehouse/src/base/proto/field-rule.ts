import type { RoleName } from './role.ts';

/** A rule of the overlay: which fields have which role, with the reason. Later rules win. */
export interface FieldRule {
  readonly direction: 'request' | 'response' | 'both';
  /** Message type without `temporal.api.`, or `*`. */
  readonly message: string;
  readonly field: string;
  readonly role: RoleName;
  readonly why: string;
}

/** Writes one rule. */
export const rule = (
  direction: FieldRule['direction'],
  message: string,
  field: string,
  role: RoleName,
  why: string,
): FieldRule => ({ direction, message, field, role, why });
