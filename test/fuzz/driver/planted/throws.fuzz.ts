import { readGuarded } from './guarded.ts';

export function fuzz(bytes: Buffer): void {
  readGuarded(bytes);
}
