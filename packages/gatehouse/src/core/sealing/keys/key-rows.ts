import type { WrappedNamespaceKey } from '#base/store/directory';

/** The key of a purpose that seals. @param rows oldest first. */
export function newestOf(
  rows: readonly WrappedNamespaceKey[],
  purpose: WrappedNamespaceKey['purpose'],
): WrappedNamespaceKey | undefined {
  return rows.findLast((row) => row.purpose === purpose && row.state === 'active');
}

/** True where the keys that there were are gone for good. */
export function isErased(rows: readonly WrappedNamespaceKey[]): boolean {
  return rows.some(({ state }) => state === 'destroyed') && newestOf(rows, 'payload') === undefined;
}
