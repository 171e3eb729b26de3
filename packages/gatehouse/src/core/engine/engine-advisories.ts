/** Versions in `[from, before)`; no `before` means that no fixed version of that line is known. */
export interface AffectedRange {
  readonly from: string;
  readonly before?: string;
}

/** A published weakness of Temporal Server, and what closes it where the version does not. */
export interface EngineAdvisory {
  readonly id: string;
  readonly about: string;
  readonly affected: readonly AffectedRange[];
  /** First fixed version of each line. Empty where the source names none. */
  readonly fixedIn: readonly string[];
  /** Where ranges and fixes were read. `inferred` marks a range that is ours, not the source's. */
  readonly source: string;
  /**
   * What makes an affected version safe to run all the same: `settings` are the pins of engine-config.ts
   * (an engine that Gatehouse starts always has them), `gateway` is a refusal on the path of a call, `residual`
   * means that it stays open and what bounds its harm: tolerated for the pinned engine alone.
   */
  readonly heldBy?: { readonly by: 'settings' | 'gateway' | 'residual'; readonly how: string };
}

const CVE_LIST = 'CVE record';
const INFERRED = 'CVE record; fixed version inferred from the date of the release';

/**
 * Every advisory known when this table was written. The engine must not run with one that nothing holds.
 * Parents of threats.md section 2, then those published since.
 */
export const engineAdvisories: readonly EngineAdvisory[] = [
  {
    id: 'CVE-2023-3485',
    about: 'a task token of another namespace is accepted where enforcement is off, the default before 1.20',
    affected: [{ from: '0.0.0', before: '1.20.0' }],
    fixedIn: ['1.20.0'],
    source: 'threats.md section 2',
  },
  {
    id: 'CVE-2024-2689',
    about: 'invalid UTF-8 wedges task queues',
    affected: [
      { from: '0.0.0', before: '1.20.5' },
      { from: '1.21.0', before: '1.21.6' },
      { from: '1.22.0', before: '1.22.7' },
    ],
    fixedIn: ['1.20.5', '1.21.6', '1.22.7'],
    source: 'GHSA-wmxc-v39r-p9wf',
  },
  {
    id: 'CVE-2025-8396',
    about: 'an oversized authorization header exhausts memory',
    affected: [{ from: '0.0.0', before: '1.31.0' }],
    fixedIn: [],
    source: 'threats.md section 2 names no range; inferred: every line before the pinned one',
  },
  {
    id: 'CVE-2025-14986',
    about: 'ExecuteMultiOperation validates an inner namespace that differs from the outer one',
    affected: [
      { from: '1.24.0', before: '1.27.4' },
      { from: '1.28.0', before: '1.28.2' },
      { from: '1.29.0', before: '1.29.2' },
    ],
    fixedIn: ['1.27.4', '1.28.2', '1.29.2'],
    source: CVE_LIST,
  },
  {
    id: 'CVE-2025-14987',
    about: 'workflow commands signal, cancel or start in a foreign namespace',
    affected: [
      { from: '0.0.0', before: '1.27.4' },
      { from: '1.28.0', before: '1.28.2' },
      { from: '1.29.0', before: '1.29.2' },
    ],
    fixedIn: ['1.27.4', '1.28.2', '1.29.2'],
    source: 'GHSA-hmhp-gh8m-c8xp; fixes as for CVE-2025-14986, inferred',
  },
  {
    id: 'CVE-2026-5199',
    about: 'the batch worker trusts the namespace name in its input',
    affected: [
      { from: '1.29.0', before: '1.29.5' },
      { from: '1.30.0', before: '1.30.3' },
    ],
    fixedIn: ['1.29.5', '1.30.3'],
    source: 'threats.md section 2, CVE record',
  },
  {
    id: 'CVE-2026-5724',
    about: 'the streaming replication RPC skips the authorizer',
    affected: [
      { from: '0.0.0', before: '1.28.4' },
      { from: '1.29.0', before: '1.29.6' },
      { from: '1.30.0', before: '1.30.4' },
      { from: '1.31.0', before: '1.31.2' },
    ],
    fixedIn: ['1.28.4', '1.29.6', '1.30.4', '1.31.2'],
    source: 'threats.md section 2, CVE record (which adds 1.31)',
  },
  {
    id: 'CVE-2026-89139',
    about: 'a write role runs any command on the engine host through the compute provider `subprocess`',
    affected: [{ from: '1.31.0', before: '1.31.3' }],
    fixedIn: ['1.31.3'],
    source: CVE_LIST,
    heldBy: { by: 'settings', how: 'workercontroller.compute_providers.enabled lists no provider' },
  },
  {
    id: 'CVE-2026-120091',
    about: 'a write role runs a command on the engine host through the compute provider `k8s`',
    affected: [{ from: '1.31.0', before: '1.31.5' }],
    fixedIn: ['1.31.5'],
    source: INFERRED,
    heldBy: { by: 'settings', how: 'workercontroller.compute_providers.enabled lists no provider' },
  },
  {
    id: 'CVE-2026-87858',
    about: 'a callback header `source` turns a request to the internal frontend',
    affected: [{ from: '1.25.0', before: '1.31.3' }],
    fixedIn: ['1.31.3'],
    source: INFERRED,
    heldBy: { by: 'settings', how: 'component.callbacks.allowedAddresses is empty' },
  },
  {
    id: 'CVE-2026-89140',
    about: 'internal completion callbacks reach Scheduler V2 state of a foreign namespace',
    affected: [{ from: '1.31.0', before: '1.31.4' }],
    fixedIn: ['1.31.4'],
    source: INFERRED,
    heldBy: { by: 'settings', how: 'history.enableChasm is false, so no Scheduler V2 exists' },
  },
  {
    id: 'CVE-2026-104355',
    about: 'a replication peer changes local namespaces',
    affected: [{ from: '0.0.0', before: '1.31.4' }],
    fixedIn: ['1.31.4'],
    source: INFERRED,
    heldBy: { by: 'settings', how: 'enableGlobalNamespace is false and no peer is configured' },
  },
  {
    id: 'CVE-2026-65652',
    about:
      'a malformed checksum type on a membership port ends the process (with CVE-2026-65653, CVE-2026-65654)',
    affected: [{ from: '0.0.0', before: '1.31.3' }],
    fixedIn: ['1.31.3'],
    source: INFERRED,
    heldBy: { by: 'settings', how: 'system.enableRingpopTLS asks for the internode certificate' },
  },
  {
    id: 'CVE-2026-65651',
    about: 'a deeply nested visibility query ends the process',
    affected: [{ from: '0.0.0', before: '1.31.3' }],
    fixedIn: ['1.30.7', '1.31.3'],
    source: CVE_LIST,
    heldBy: { by: 'gateway', how: 'queries are bounded in length (query-rules.ts)' },
  },
  {
    id: 'CVE-2026-16651',
    about: 'a malformed version comment in a ListWorkers query ends the process',
    affected: [{ from: '0.0.0', before: '1.31.3' }],
    fixedIn: ['1.30.7', '1.31.3'],
    source: CVE_LIST,
    heldBy: { by: 'gateway', how: 'queries with a version comment are refused (query-rules.ts)' },
  },
  {
    id: 'CVE-2026-16652',
    about: 'a schedule that excludes every candidate time burns processor time',
    affected: [{ from: '1.17.0', before: '1.31.3' }],
    fixedIn: ['1.31.3'],
    source: INFERRED,
    heldBy: {
      by: 'residual',
      how: 'availability only, until the schedule is deleted or its namespace suspended',
    },
  },
];
