import type { DirectorySnapshot } from '#base/model/namespace-record';
import { type NamespaceUse, NOTHING_SPENT, type Rates, type UseReport } from './use-report.ts';

interface Listener {
  /** What others spent since it was last told, by namespace; also where only something else changed. */
  readonly news: Map<string, Rates>;
}

interface Reported {
  readonly report: UseReport;
  readonly atMs: number;
}

/**
 * What the processes of one platform use together: takes the report of each, and tells each what the others do.
 * Between them lies one report and one telling; how far they can be apart in that time is in the folder's README.
 */
export class SharedUse {
  readonly #processes = new Map<number, Listener>();
  /** By namespace and process: the last report, and when it came. */
  readonly #reports = new Map<string, Map<number, Reported>>();
  readonly #now: () => number;

  /** @param now monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** A process begins. @returns all that the others hold now. */
  join(process: number): readonly UseReport[] {
    this.#processes.set(process, { news: new Map() });
    return [...this.#reports.keys()].map((id) => this.#others(process, id, NOTHING_SPENT));
  }

  /** It has ended: what it held is free. What it spent stays spent. */
  leave(process: number): void {
    this.#processes.delete(process);
    for (const [namespaceId, by] of this.#reports) {
      if (by.delete(process)) this.#announce(process, namespaceId, NOTHING_SPENT);
    }
  }

  /** A process tells. One that has left is not heard any more. */
  report(process: number, reports: readonly UseReport[]): void {
    if (!this.#processes.has(process)) return;
    const atMs = this.#now();
    for (const report of reports) {
      const { namespaceId } = report;
      const by = this.#reports.get(namespaceId) ?? new Map<number, Reported>();
      by.set(process, { report, atMs });
      this.#reports.set(namespaceId, by);
      this.#announce(process, namespaceId, report.spent);
    }
  }

  /** What a process has not been told yet. */
  tell(process: number): readonly UseReport[] {
    const listener = this.#processes.get(process);
    if (listener === undefined) return [];
    const told = [...listener.news].map(([id, spent]) => this.#others(process, id, spent));
    listener.news.clear();
    return told;
  }

  /** What a namespace has under way in all processes, as they told last; undefined where none has told of it. */
  use(namespaceId: string): NamespaceUse | undefined {
    const by = this.#reports.get(namespaceId);
    return by === undefined || by.size === 0
      ? undefined
      : this.#sum(namespaceId, [...by.values()], NOTHING_SPENT);
  }

  /** Forgets namespaces that are gone. */
  prune({ namespaces }: DirectorySnapshot): void {
    for (const id of this.#reports.keys()) if (!namespaces.has(id)) this.#reports.delete(id);
  }

  #announce(from: number, namespaceId: string, spent: Rates): void {
    for (const [process, { news }] of this.#processes) {
      if (process === from) continue;
      news.set(namespaceId, added(news.get(namespaceId) ?? NOTHING_SPENT, spent));
    }
  }

  #others(process: number, namespaceId: string, spent: Rates): UseReport {
    const all = [...(this.#reports.get(namespaceId) ?? [])];
    const others = all.flatMap(([from, report]) => (from === process ? [] : [report]));
    return this.#sum(namespaceId, others, spent);
  }

  #sum(namespaceId: string, reported: readonly Reported[], spent: Rates): UseReport {
    const total = (of: (report: UseReport) => number): number =>
      reported.reduce((all, { report }) => all + of(report), 0);
    const counters = reported.reduce((most, { report }) => Math.max(most, report.held.length), 0);
    return {
      namespaceId,
      connections: total((report) => report.connections),
      polls: total((report) => report.polls),
      waits: total((report) => report.waits),
      requestBytes: total((report) => report.requestBytes),
      replyBytes: total((report) => report.replyBytes),
      refused: total((report) => report.refused),
      held: Array.from({ length: counters }, (_, counter) => total(({ held }) => held[counter] ?? 0)),
      spent,
      ...this.#levels(reported),
    };
  }

  /** Of the report that came last: the buckets of all are charged alike. */
  #levels(reported: readonly Reported[]): Pick<UseReport, 'left' | 'ageMs'> {
    let latest: Reported | undefined;
    for (const each of reported) if (latest === undefined || each.atMs >= latest.atMs) latest = each;
    if (latest === undefined) return { left: NOTHING_KNOWN, ageMs: 0 };
    return { left: latest.report.left, ageMs: this.#now() - latest.atMs };
  }
}

/** A full bucket, however large. */
const NOTHING_KNOWN: Rates = [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];

function added(some: Rates, more: Rates): Rates {
  return [some[0] + more[0], some[1] + more[1], some[2] + more[2]];
}
