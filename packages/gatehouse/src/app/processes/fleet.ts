import { setTimeout as wait } from 'node:timers/promises';
import type { AuditEvent } from '#base/model/audit-event';
import { createBackoff } from '#base/runtime/backoff';
import type { Clock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import type { AuditWriter } from '#core/audit/audit-writer';
import { adminEvent } from '../admin-event.ts';
import type { GatewayProcess } from './gateway-process.ts';

export interface FleetOptions {
  readonly count: number;
  /** Starts a process in a place that is free. */
  readonly startProcess: (slot: number) => GatewayProcess;
  /** It serves: connections may go to it. */
  readonly onServing: (process: GatewayProcess) => void;
  /** It gets no more connections. */
  readonly onRetired: (process: GatewayProcess) => void;
  readonly onEnded: (process: GatewayProcess) => void;
  readonly audit: AuditWriter;
  readonly clock: Clock;
  readonly log: Log;
}

/** One that says nothing for so long hangs, and is replaced. No burst of work takes seconds. */
const HUNG_MS = 30_000;
/** After the time to drain: for the last answers and the last records. */
const FAREWELL_MS = 10_000;
const REPLACE_FIRST_MS = 100;
const REPLACE_MOST_MS = 10_000;
/** After so long without an end the next one is replaced quickly again. */
const STEADY_MS = 60_000;
/** We were held up ourselves: that the others were silent meanwhile says nothing. */
const HELD_UP_MS = 1000;

/**
 * Keeps so many gateway processes serving. Each is `starting` until it says that it serves; `serving` until it is
 * retired or ends by itself, and then it is replaced; `draining` until it has ended. Two that are there at the same
 * time never have the same slot, since each slot has one audit chain.
 */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #all = new Map<number, GatewayProcess>();
  readonly #starting = new Set<GatewayProcess>();
  readonly #serving = new Set<GatewayProcess>();
  readonly #backoff = createBackoff(REPLACE_FIRST_MS, REPLACE_MOST_MS);
  readonly #stop = new AbortController();
  #lastEndMs = Number.NEGATIVE_INFINITY;
  #lookedAtMs = performance.now();
  #restarting: Promise<unknown> = Promise.resolve();

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** All that have not ended. */
  all(): readonly GatewayProcess[] {
    return [...this.#all.values()];
  }

  serving(): readonly GatewayProcess[] {
    return [...this.#serving];
  }

  /** @throws Error where one does not come to serve. */
  async start(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.count }, () => this.#launch()));
  }

  /** See `GatewayProcesses.restart`. */
  restart(drainMs: number): Promise<void> {
    const restarted = this.#restarting.then(() => this.#restartEach(drainMs));
    this.#restarting = restarted.catch(() => undefined);
    return restarted;
  }

  /** Ends those that hang. Call it every second or so. */
  look(): void {
    const now = performance.now();
    const wasHeldUp = now - this.#lookedAtMs > HELD_UP_MS;
    this.#lookedAtMs = now;
    if (wasHeldUp) return;
    for (const process of this.#serving) if (process.silentMs() > HUNG_MS) process.kill();
  }

  /** From now on nothing is started or replaced, and nothing gets connections. */
  stop(): void {
    this.#stop.abort();
    for (const process of this.#serving) this.#options.onRetired(process);
  }

  /** Ends all. Call `stop` first. */
  async drain(withinMs: number): Promise<void> {
    await Promise.all(
      this.all().map((process) => {
        if (!this.#starting.has(process)) return this.#drain(process, withinMs);
        process.kill();
        return process.ended;
      }),
    );
  }

  async #launch(): Promise<GatewayProcess> {
    const process = this.#options.startProcess(this.#freeSlot());
    this.#all.set(process.slot, process);
    this.#starting.add(process);
    void process.ended.then((how) => this.#ended(process, how));
    try {
      await process.ready;
    } finally {
      this.#starting.delete(process);
    }
    this.#serving.add(process);
    this.#record({ outcome: 'ok', detail: `${nameOf(process)} serves` });
    this.#options.log.info('a gateway process serves', { process: process.slot, pid: process.pid });
    this.#options.onServing(process);
    if (this.#stopped) this.#options.onRetired(process);
    return process;
  }

  get #stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  #freeSlot(): number {
    for (let slot = 1; ; slot += 1) if (!this.#all.has(slot)) return slot;
  }

  #ended(process: GatewayProcess, how: string): void {
    const { log, onEnded } = this.#options;
    this.#all.delete(process.slot);
    onEnded(process);
    const wasServing = this.#serving.delete(process);
    const fields = { process: process.slot, pid: process.pid, how };
    if (!wasServing || this.#stopped) {
      log.info('a gateway process has ended', fields);
      return;
    }
    log.error('a gateway process died; another takes its place', fields);
    this.#record({ outcome: 'error', reason: 'process_ended', detail: `${nameOf(process)} ended: ${how}` });
    const now = performance.now();
    if (now - this.#lastEndMs > STEADY_MS) this.#backoff.reset();
    this.#lastEndMs = now;
    void this.#replace();
  }

  async #replace(): Promise<void> {
    while (this.#isShort()) {
      await wait(this.#backoff.next(), undefined, { signal: this.#stop.signal }).catch(() => undefined);
      if (!this.#isShort()) return;
      await this.#launch().catch((error: unknown) =>
        this.#failed('a gateway process cannot be replaced', error),
      );
    }
  }

  #isShort(): boolean {
    return !this.#stopped && this.#serving.size + this.#starting.size < this.#options.count;
  }

  async #restartEach(drainMs: number): Promise<void> {
    for (const old of this.serving()) {
      if (this.#stopped) return;
      // One that died meanwhile has been replaced already.
      if (!this.#serving.has(old)) continue;
      try {
        await this.#launch();
      } catch (error) {
        this.#failed('the gateway processes are not restarted; those that serve go on', error);
        throw error;
      }
      if (!this.#serving.delete(old)) continue;
      this.#options.onRetired(old);
      await this.#drain(old, drainMs);
    }
    this.#record({ method: 'gateway.restart', outcome: 'ok' });
    this.#options.log.info('every gateway process was replaced');
  }

  async #drain(process: GatewayProcess, withinMs: number): Promise<void> {
    process.tell({ kind: 'drain', withinMs });
    const timer = setTimeout(() => process.kill(), withinMs + FAREWELL_MS);
    await process.ended;
    clearTimeout(timer);
  }

  #failed(message: string, error: unknown): void {
    if (this.#stopped) return;
    this.#options.log.error(message, { error });
    const detail = error instanceof Error ? error.message : String(error);
    this.#record({ outcome: 'error', reason: 'process_not_ready', detail });
  }

  #record(
    event: Pick<AuditEvent, 'outcome'> & Partial<Pick<AuditEvent, 'method' | 'reason' | 'detail'>>,
  ): void {
    const { audit, clock } = this.#options;
    audit.append(adminEvent(clock, { method: 'gateway.process', ...event }));
  }
}

function nameOf({ slot, pid }: GatewayProcess): string {
  return `gateway-${slot} (pid ${pid})`;
}
