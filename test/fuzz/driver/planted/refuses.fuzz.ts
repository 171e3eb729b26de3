import { readGuarded } from './guarded.ts';

export function fuzz(bytes: Buffer): void {
  try {
    readGuarded(bytes);
  } catch {
    // The one refusal that there is.
  }
}
