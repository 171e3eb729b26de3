import { type EngineAdvisory, engineAdvisories } from './engine-advisories.ts';
import { EngineError } from './engine-error.ts';

/** What the check of an engine's version says when it lets the engine run. */
export interface EngineVersionVerdict {
  readonly version: string;
  /** Advisories of this version that `heldBy` answers for, residual ones too: for the log and `doctor`. */
  readonly held: readonly EngineAdvisory[];
  /** Advisories that an operator accepted by name: the caller records them in the audit log (T-098). */
  readonly accepted: readonly EngineAdvisory[];
}

export interface EngineVersionCheck {
  /** True for an engine that Gatehouse starts with its own files; a configured one has settings we cannot see. */
  readonly settingsAreOurs: boolean;
  /** Advisory numbers that the operator accepts for this engine, each by name. */
  readonly acceptedAdvisories?: readonly string[];
}

/** The minor version whose wire format, settings and authorizer this gateway was checked against. */
const LINE = '1.31.';

/**
 * Refuses an engine outside 1.31.x and one with an advisory that nothing holds (T-098).
 * @throws EngineError naming the version, the advisory and the fix.
 */
export function checkEngineVersion(version: string, check: EngineVersionCheck): EngineVersionVerdict {
  const parsed = parseVersion(version);
  if (parsed === undefined) throw new EngineError(`"${version}" is not a Temporal Server version`);
  const accepted: EngineAdvisory[] = [];
  const held: EngineAdvisory[] = [];
  const open: EngineAdvisory[] = [];
  for (const advisory of engineAdvisories) {
    if (!isAffected(parsed, advisory)) continue;
    const by = advisory.heldBy?.by;
    const holds = by === 'gateway' || (by !== undefined && check.settingsAreOurs);
    if (holds) held.push(advisory);
    else if (check.acceptedAdvisories?.includes(advisory.id)) accepted.push(advisory);
    else open.push(advisory);
  }
  if (!version.startsWith(LINE)) {
    const worst = open.at(0);
    const because = worst === undefined ? '' : `; it is also open to ${describe(worst)}`;
    throw new EngineError(`Temporal Server ${version} is not supported: use a 1.31 release${because}`);
  }
  if (open.length > 0) {
    throw new EngineError(`Temporal Server ${version} is open to ${open.map(describe).join('; ')}`);
  }
  return { version, held, accepted };
}

/**
 * Reads what `temporal-server --version` prints: `temporal version 1.31.2`.
 * @returns undefined when the text is something else.
 */
export function parseEngineVersion(text: string): string | undefined {
  return /^temporal version (\d+\.\d+\.\d+)\s*$/m.exec(text)?.[1];
}

function describe(advisory: EngineAdvisory): string {
  const fix =
    advisory.fixedIn.length === 0 ? 'use the pinned 1.31 release' : `fixed in ${advisory.fixedIn.join(', ')}`;
  const setting = advisory.heldBy?.by === 'settings' ? `, or where ${advisory.heldBy.how}` : '';
  return `${advisory.id} (${advisory.about}; ${fix}${setting})`;
}

type Version = readonly [number, number, number];

function parseVersion(text: string): Version | undefined {
  const match = /^(\d{1,6})\.(\d{1,6})\.(\d{1,6})$/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])];
}

function isAffected(version: Version, advisory: EngineAdvisory): boolean {
  return advisory.affected.some((range) => {
    const from = parseVersion(range.from);
    const before = range.before === undefined ? undefined : parseVersion(range.before);
    return (
      from !== undefined &&
      compare(version, from) >= 0 &&
      (before === undefined || compare(version, before) < 0)
    );
  });
}

function compare(left: Version, right: Version): number {
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}
