import { getHeapStatistics } from 'node:v8';

/** What a process is at, as far as memory goes. */
export interface MemoryUse {
  /** Share of the time since the last look in which the event loop was at work. */
  readonly busy: number;
  /** Bytes of the heap, and of those the ones in use. */
  readonly heapBytes: number;
  readonly usedBytes: number;
}

export interface MemoryReturnOptions {
  readonly look?: () => MemoryUse;
  /** Collects all garbage and frees its pages. Absent: where the process was started with `--expose-gc`. */
  readonly collect?: () => void;
}

const LOOK_MS = 1_000;
/** Two looks in a row: a pause between two waves is not the end of them. */
const QUIET_LOOKS = 2;
/** Some two hundred calls a second. Nothing is answered while memory is given back. */
const QUIET_BUSY_MAX = 0.02;
/** Half of the young generation at its largest: below this there is not much to give back. */
const UNUSED_BYTES_MIN = 64 * 1024 * 1024;
/** It takes about two milliseconds for each MiB in use, so it must pay. */
const UNUSED_SHARE_MIN = 0.25;

/**
 * Gives memory back to the system after a wave of calls. The runtime grows its young generation under load and keeps
 * it at that size until it collects all garbage for another reason, which a process at rest does not have: of ten
 * thousand parked polls, a quarter of the memory was empty heap. Done when nobody waits.
 * @returns how to stop.
 */
export function startMemoryReturn(options: MemoryReturnOptions = {}): () => void {
  const collect = options.collect ?? runtimeCollector();
  if (collect === undefined) return () => undefined;
  const look = options.look ?? createLook();
  let quietLooks = 0;
  const timer = setInterval(() => {
    const use = look();
    quietLooks = use.busy <= QUIET_BUSY_MAX ? quietLooks + 1 : 0;
    if (quietLooks >= QUIET_LOOKS && isWorthIt(use)) collect();
  }, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

function runtimeCollector(): (() => void) | undefined {
  const { gc } = globalThis;
  // An ordinary collection empties pages, and keeps them for the next wave.
  return gc && (() => gc({ type: 'major', flavor: 'last-resort' }));
}

function isWorthIt({ heapBytes, usedBytes }: MemoryUse): boolean {
  const unused = heapBytes - usedBytes;
  return unused >= UNUSED_BYTES_MIN && unused >= heapBytes * UNUSED_SHARE_MIN;
}

function createLook(): () => MemoryUse {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization: busy } = performance.eventLoopUtilization(now, last);
    last = now;
    const { total_heap_size: heapBytes, used_heap_size: usedBytes } = getHeapStatistics();
    return { busy, heapBytes, usedBytes };
  };
}
