import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { defaultLimits, type PlatformLimits } from '#base/model/limits';
import type { DirectorySnapshot } from '#base/model/namespace-record';
import type { Clock } from '#base/runtime/clock';
import { uuidV7 } from '#base/runtime/ids';
import type { Log } from '#base/runtime/log';
import { openTcpDoor, type TcpDoor } from '#base/wire/tcp-door';
import type { ServerIdentity } from '#base/wire/tls-listener';
import type { AuditWriter } from '#core/audit/audit-writer';
import { chainOfProcess } from '#core/audit/chains';
import type { EngineHandle } from '#core/engine/engine-handle';
import { SharedUse } from '#core/limits/shared-use';
import { SourceGate } from '#core/limits/source-gate';
import { Recorder } from '#planes/gateway/record';
import type { Gateway } from '#planes/gateway/start-gateway';
import { homeAt } from '../home.ts';
import { Dispatch } from './dispatch.ts';
import { createEngineFacts, type EngineFacts } from './engine-facts.ts';
import { Fleet } from './fleet.ts';
import { type GatewayCommand, type GatewayProcess, startGatewayProcess } from './gateway-process.ts';
import type { GatewaySpec } from './gateway-spec.ts';
import { type DoorName, type FromProcess, TICK_MS } from './messages.ts';

export interface GatewayProcessesOptions {
  /** How many; at least 2. */
  readonly count: number;
  readonly command: GatewayCommand;
  /** What each of them is, apart from what changes while they run. */
  readonly spec: Omit<GatewaySpec, 'slot' | 'identity' | 'limits' | 'engine'>;
  readonly identity: ServerIdentity;
  readonly limits?: PlatformLimits | undefined;
  readonly engine: EngineHandle;
  readonly directory: { onChange(listener: (snapshot: DirectorySnapshot) => void): () => void };
  readonly audit: AuditWriter;
  readonly clock: Clock;
  readonly log: Log;
}

/** As much of a gateway as its platform asks for, however many processes it is. */
export type GatewayDoors = Omit<Gateway, 'reportUse' | 'followOthers'>;

/** The gateway as several processes behind one port. */
export interface GatewayProcesses extends GatewayDoors {
  /**
   * Replaces each process by a new one that serves already, one after the other. A replacement that does not come
   * to serve ends it, and those that served go on. A second call waits for the first.
   * @param drainMs how long the calls of a replaced process may take to finish.
   * @throws Error where a replacement does not serve.
   */
  restart(drainMs: number): Promise<void>;
}

const LOOK_MS = 500;

/** Opens the doors and starts the processes behind them. @throws Error where one of them does not come to serve. */
export async function startGatewayProcesses(options: GatewayProcessesOptions): Promise<GatewayProcesses> {
  const supervisor = new Supervisor(options);
  try {
    await supervisor.start();
  } catch (error) {
    await supervisor.drain(0);
    throw error;
  }
  return supervisor;
}

class Supervisor implements GatewayProcesses {
  readonly #options: GatewayProcessesOptions;
  readonly #fleet: Fleet;
  readonly #dispatch = new Dispatch();
  readonly #use: SharedUse;
  readonly #sources: SourceGate;
  readonly #recorder: Recorder;
  readonly #engine: () => EngineFacts;
  readonly #doors = new Map<DoorName, TcpDoor>();
  readonly #release: (() => void)[] = [];
  #identity: ServerIdentity;
  #limits: PlatformLimits;
  #toldEngine: EngineFacts;

  constructor(options: GatewayProcessesOptions) {
    const { limits = defaultLimits, audit, clock, log, count } = options;
    this.#options = options;
    this.#identity = options.identity;
    this.#limits = limits;
    this.#use = new SharedUse(() => clock.monotonicMs());
    this.#recorder = new Recorder(audit, clock);
    this.#sources = new SourceGate(limits.source, limits.sharedBy);
    this.#engine = createEngineFacts(options.engine);
    this.#toldEngine = this.#engine();
    this.#fleet = new Fleet({
      count,
      startProcess: (slot) => this.#startProcess(slot),
      onServing: (process) => this.#admitProcess(process),
      onRetired: (process) => this.#dispatch.retire(process),
      onEnded: (process) => {
        this.#use.leave(process.slot);
        this.#dispatch.remove(process);
      },
      audit,
      clock,
      log,
    });
  }

  async start(): Promise<void> {
    const { spec, directory, engine } = this.#options;
    for (const door of ['grpc', 'https'] as const) {
      const address = spec[door];
      if (address === undefined) continue;
      this.#doors.set(door, await this.#openDoor(door, address));
    }
    this.#release.push(
      directory.onChange((snapshot) => this.#use.prune(snapshot)),
      engine.onState(() => this.#tellEngine()),
      every(TICK_MS, () => this.#tellUse()),
      every(LOOK_MS, () => {
        this.#tellEngine();
        this.#fleet.look();
      }),
    );
    await this.#fleet.start();
  }

  get grpc(): Gateway['grpc'] {
    return this.#doors.get('grpc')?.address ?? this.#options.spec.grpc;
  }

  get https(): Gateway['https'] {
    return this.#doors.get('https')?.address;
  }

  setIdentity(identity: ServerIdentity): void {
    this.#identity = identity;
    for (const process of this.#fleet.serving()) process.tell({ kind: 'identity', identity });
  }

  setLimits(limits: PlatformLimits): boolean {
    if (isDeepStrictEqual(limits, this.#limits)) return false;
    this.#limits = limits;
    this.#sources.follow(limits.source, limits.sharedBy);
    for (const process of this.#fleet.all()) process.tell({ kind: 'limits', limits });
    return true;
  }

  openConnections(): number {
    return this.#dispatch.size;
  }

  use(namespaceId: string): ReturnType<Gateway['use']> {
    return this.#use.use(namespaceId);
  }

  restart(drainMs: number): Promise<void> {
    return this.#fleet.restart(drainMs);
  }

  async quiesce(withinMs: number): Promise<void> {
    this.#stop();
    await Promise.all(
      this.#fleet.all().map(async (process) => {
        let timer: NodeJS.Timeout | undefined;
        const answer = new Promise<void>((resolve) => {
          timer = setTimeout(resolve, withinMs + ANSWER_MS);
          process.onMessage(({ kind }) => {
            if (kind === 'quiet') resolve();
          });
        });
        process.tell({ kind: 'quiesce', withinMs });
        await Promise.race([answer, process.ended]);
        clearTimeout(timer);
      }),
    );
  }

  async drain(withinMs: number): Promise<void> {
    this.#stop();
    await this.#fleet.drain(withinMs);
    for (const release of this.#release.splice(0)) release();
  }

  #stop(): void {
    for (const door of this.#doors.values()) door.close();
    this.#fleet.stop();
    this.#dispatch.close();
  }

  #startProcess(slot: number): GatewayProcess {
    const { command, spec, log } = this.#options;
    // There before the process is, so that a place without a chain is one that was taken away.
    mkdirSync(join(homeAt(spec.home).audit, chainOfProcess(slot)), { recursive: true, mode: 0o700 });
    const now = { identity: this.#identity, limits: this.#limits, engine: this.#engine() };
    const process = startGatewayProcess({ command, spec: { ...spec, slot, ...now }, log });
    process.onMessage((message) => this.#hear(process, message));
    return process;
  }

  #admitProcess(process: GatewayProcess): void {
    // What changed while it was starting it was not told.
    process.tell({ kind: 'identity', identity: this.#identity });
    process.tell({ kind: 'limits', limits: this.#limits });
    process.tell({ kind: 'engine', engine: this.#engine() });
    process.tell({ kind: 'others', reports: this.#use.join(process.slot) });
    this.#dispatch.add(process);
  }

  #hear(process: GatewayProcess, message: FromProcess): void {
    if (message.kind === 'connections') this.#dispatch.hear(process, message);
    else if (message.kind === 'use') this.#use.report(process.slot, message.reports);
  }

  #openDoor(door: DoorName, address: Gateway['grpc']): Promise<TcpDoor> {
    const { clock } = this.#options;
    return openTcpDoor({
      ...address,
      beginHandshake: (from) => {
        const source = this.#sources.begin(from, clock.monotonicMs());
        return source === undefined ? undefined : () => this.#sources.end(source);
      },
      accept: (connection, handshakeOver) => this.#dispatch.offer(door, connection, handshakeOver),
      onRefused: (peer) =>
        this.#recorder.connection({
          connectionId: uuidV7(clock.now()),
          peer,
          namespaceId: '',
          reason: 'handshake_limit',
          detail: '',
        }),
    });
  }

  #tellUse(): void {
    for (const process of this.#fleet.serving()) {
      const reports = this.#use.tell(process.slot);
      if (reports.length > 0) process.tell({ kind: 'others', reports });
    }
  }

  #tellEngine(): void {
    const engine = this.#engine();
    if (engine === this.#toldEngine) return;
    this.#toldEngine = engine;
    for (const process of this.#fleet.all()) process.tell({ kind: 'engine', engine });
  }
}

/** For the answer itself, after the time that a process was given. */
const ANSWER_MS = 2000;

function every(ms: number, task: () => void): () => void {
  const timer = setInterval(task, ms);
  timer.unref();
  return () => clearInterval(timer);
}
