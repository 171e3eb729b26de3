import { type AuditChain, chainOfProcess, listChains } from './chains.ts';
import { LATEST_CHECKPOINT_FILE, readLatestCheckpoint, type WitnessLine } from './latest-checkpoint.ts';
import { parseHeader } from './marker-lines.ts';
import { readLines } from './read-lines.ts';
import { listSegments } from './segment-files.ts';
import { type ChainVerdict, type VerifyOptions, verifyChain } from './verify.ts';

export interface NamedVerdict {
  /** As in `AuditChain`; of a chain that is not there, what is known of it. */
  readonly name: string;
  readonly verdict: ChainVerdict;
}

/**
 * Verifies every chain of a home, the home's own first. Each must hold the checkpoints of its own that were put
 * aside, and none may be missing of which there is one, or whose place is before that of another.
 * @throws as `verifyChain` does for the home's own.
 */
export async function verifyChains(
  folder: string,
  options: VerifyOptions = {},
): Promise<readonly NamedVerdict[]> {
  const places = await listChains(folder);
  const chains = await begun(places);
  const ids = await Promise.all(chains.map((chain) => idOf(chain)));
  const witness = options.witness ?? [];
  const known = new Set(ids);
  // Of a home with one chain all are about that one, also where it was made anew under another id.
  const strangers = chains.length === 1 ? [] : witness.filter((line) => !known.has(line.chain));
  const verdicts: NamedVerdict[] = [];
  for (const [index, { name, folder: place }] of chains.entries()) {
    const own = chains.length === 1 ? witness : witness.filter((line) => line.chain === ids[index]);
    verdicts.push({ name, verdict: await verifyChain(place, { ...options, witness: own }) });
  }
  return [...verdicts, ...missingPlaces(places), ...missingWitnesses(strangers)];
}

/** Without the places of processes that ended before they wrote a line. */
async function begun(chains: readonly AuditChain[]): Promise<readonly AuditChain[]> {
  const kept: AuditChain[] = [];
  for (const chain of chains) {
    const isBegun =
      chain.name === '' ||
      (await listSegments(chain.folder)).length > 0 ||
      (await readLatestCheckpoint(chain.folder).catch(() => LATEST_CHECKPOINT_FILE)) !== undefined;
    if (isBegun) kept.push(chain);
  }
  return kept;
}

/** As its first line names it; empty where that cannot be read, which its verdict says. */
async function idOf({ folder }: AuditChain): Promise<string> {
  const [first] = await listSegments(folder);
  if (first === undefined) return '';
  for await (const { lines } of readLines(first.path)) {
    return parseHeader(lines[0] ?? '')?.chain ?? '';
  }
  return '';
}

/** Places are taken from 1 on. */
function missingPlaces(chains: readonly AuditChain[]): NamedVerdict[] {
  const names = new Set(chains.map(({ name }) => name));
  const last = chains.at(-1)?.name ?? '';
  const missing: NamedVerdict[] = [];
  for (let place = 1; last !== ''; place += 1) {
    const name = chainOfProcess(place);
    if (name === last) break;
    if (!names.has(name))
      missing.push({ name, verdict: missingVerdict('', `it is missing: ${last} is there`) });
  }
  return missing;
}

function missingWitnesses(lines: readonly WitnessLine[]): NamedVerdict[] {
  return [...new Set(lines.map(({ chain }) => chain))].map((chain) => ({
    name: chain,
    verdict: missingVerdict(chain, 'it is missing: a checkpoint of it was put aside'),
  }));
}

function missingVerdict(chain: string, reason: string): ChainVerdict {
  return {
    fault: { seq: 0, segment: 1, reason },
    chain,
    segments: 0,
    lines: 0,
    lastSeq: -1,
    lastHash: '',
    checkpoints: 0,
    signedSeq: -1,
    tornBytes: 0,
  };
}
