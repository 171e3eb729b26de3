import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Why a test cannot run that needs these programs on PATH; false where it can, and in CI, which must have them. */
export function programObstacle(...names: readonly string[]): string | false {
  const missing = missingPrograms(...names);
  if (missing.length === 0 || process.env['CI'] === 'true') return false;
  return `needs ${missing.join(' and ')}; .ci/run says what to install`;
}

/** Those of these programs that are not on PATH. */
export function missingPrograms(...names: readonly string[]): readonly string[] {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return names.filter((name) => !folders.some((folder) => isProgram(join(folder, name))));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // Not there, or not for us.
    return false;
  }
}
