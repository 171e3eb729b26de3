import { isDeepStrictEqual } from 'node:util';
import { defaultLimits, type PlatformLimits } from '#base/model/limits';
import type { DirectorySnapshot, NamespaceRecord } from '#base/model/namespace-record';
import type { Clock } from '#base/runtime/clock';
import { ConnectionLoad, type LimitsInForce } from './connection-load.ts';
import { NamespaceLoad } from './namespace-load.ts';
import { SourceGate } from './source-gate.ts';
import type { NamespaceUse, UseReport } from './use-report.ts';

const MIB = 1024 * 1024;

/**
 * The limits of one gateway process and what counts against them. Between several platforms they are divided
 * (`sharedBy`), without a word between them: what is granted in all is never more than the limit, rounding apart,
 * and less where the connections of a namespace are spread unevenly. The processes of one platform tell each other
 * (`report`, `followOthers`), and grant the limit however the connections are spread.
 *
 * A namespace has an entry from its first connection until it is deleted, so there are never more of them than
 * the directory has namespaces.
 */
export class Limits implements LimitsInForce {
  /** Addresses that nobody has proved anything from. */
  readonly sources: SourceGate;
  epoch = 0;
  connectionRequestBytesMax = 0;
  readonly #clock: Clock;
  readonly #loads = new Map<string, NamespaceLoad>();
  /** What other processes told last, of namespaces that this one may not serve yet. */
  readonly #others = new Map<string, { readonly use: UseReport; readonly asOfMs: number }>();
  #limits: PlatformLimits;

  constructor(clock: Clock, limits: PlatformLimits = defaultLimits) {
    this.#clock = clock;
    this.sources = new SourceGate(limits.source, limits.sharedBy);
    this.#limits = limits;
    this.#take(limits);
  }

  /** Takes other limits into force, for what comes from now on. @returns whether they differ. */
  set(limits: PlatformLimits): boolean {
    if (isDeepStrictEqual(limits, this.#limits)) return false;
    this.#limits = limits;
    this.epoch += 1;
    this.sources.follow(limits.source, limits.sharedBy);
    this.#take(limits);
    return true;
  }

  #take({ connection }: PlatformLimits): void {
    this.connectionRequestBytesMax = connection.requestMebibytes * MIB;
  }

  /** For a new HTTP/2 connection. */
  get streamsMax(): number {
    return this.#limits.connection.streams;
  }

  /** Counts a connection of an admitted client. @returns undefined where its namespace has too many. */
  connect(record: NamespaceRecord): ConnectionLoad | undefined {
    let load = this.#loads.get(record.id);
    if (load === undefined) {
      const { sharedBy } = this.#limits;
      load = new NamespaceLoad(this.#limitsOf(record), sharedBy, this.#clock.monotonicMs());
      const others = this.#others.get(record.id);
      if (others !== undefined) load.beginWith(others.use, others.asOfMs);
      this.#loads.set(record.id, load);
    } else this.refresh(load, record);
    return load.connect() ? new ConnectionLoad(this, load, record) : undefined;
  }

  refresh(load: NamespaceLoad, record: NamespaceRecord): void {
    load.follow(this.#limitsOf(record), this.#limits.sharedBy);
  }

  /** Forgets namespaces that are gone and whose last connection has closed. */
  prune({ namespaces }: DirectorySnapshot): void {
    for (const [id, load] of this.#loads) {
      if (!namespaces.has(id) && load.connections === 0) this.#loads.delete(id);
    }
    for (const id of this.#others.keys()) if (!namespaces.has(id)) this.#others.delete(id);
  }

  /** What a namespace has under way here; undefined where it never had a connection. */
  use(namespaceId: string): NamespaceUse | undefined {
    return this.#loads.get(namespaceId);
  }

  /** What the other processes of this platform are to know: of each namespace where something changed. */
  report(): readonly UseReport[] {
    const nowMs = this.#clock.monotonicMs();
    const reports: UseReport[] = [];
    for (const [id, load] of this.#loads) {
      const report = load.report(id, nowMs);
      if (report !== undefined) reports.push(report);
    }
    return reports;
  }

  /** Takes into account what the others told, all of them together. */
  followOthers(reports: readonly UseReport[]): void {
    const nowMs = this.#clock.monotonicMs();
    for (const use of reports) {
      this.#others.set(use.namespaceId, { use, asOfMs: nowMs - use.ageMs });
      this.#loads.get(use.namespaceId)?.followOthers(use, nowMs);
    }
  }

  #limitsOf(record: NamespaceRecord): PlatformLimits['namespace'] {
    return { ...this.#limits.namespace, ...record.limits };
  }
}
