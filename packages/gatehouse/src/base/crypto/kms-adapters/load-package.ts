/**
 * Loads an optional dependency, only when its KMS is configured: each costs a third of a second and 40 MB.
 * @throws Error that says what to install.
 */
export async function loadPackage<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw new Error(`this KMS needs the npm package ${name}: install it beside gatehouse`, { cause: error });
  }
}

function isMissing(error: unknown): boolean {
  const codes: readonly unknown[] = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'];
  return error instanceof Error && 'code' in error && codes.includes(error.code);
}
