import type { AuditEvent } from '#base/model/audit-event';
import type { Clock } from '#base/runtime/clock';
import type { AuditSigningKey } from './audit-signing-key.ts';
import { type ChainLine, eventBody, LINE_BYTES_MAX, sealInto } from './chain.ts';
import { createEventParts, type EventParts, inTheOpen } from './event-parts.ts';
import type { FieldSealer } from './fields/field-sealer.ts';
import { type Checkpoint, checkpointLine, checkpointMessage, FORMAT, headerLine } from './marker-lines.ts';
import type { ChainEnd } from './repair.ts';
import { systemEvent } from './system-event.ts';

/** Turns events into the chain's next lines, in the order given, with headers and checkpoints where due. */
export interface Linking {
  record(event: AuditEvent): void;
  /** Signs what was recorded since the last checkpoint, if anything was. */
  checkpoint(): void;
  /** Ends the segment. Its last line is a checkpoint, so a closed file is signed whole. */
  rotate(): void;
  seq(): number;
  segment(): number;
  checkpoints(): number;
}

export interface LinkingOptions {
  readonly clock: Clock;
  readonly signingKey: AuditSigningKey;
  readonly end: ChainEnd;
  readonly chain: string;
  readonly sealer: FieldSealer;
  readonly segmentBytesMax: number;
  /** @param room holds the line's bytes until it returns. */
  readonly push: (room: Buffer, bytes: number, segment: number) => void;
  readonly onCheckpoint: (line: string) => void;
}

/** However busy the chain: what one checkpoint leaves open stays bounded, and the verifier insists on it. */
export const UNSIGNED_LINES_MAX = 10_000;
/** A wall clock that leaves the monotonic one by more has been stepped (F-16). */
const CLOCK_STEP_MS = 1_000;

export function startLinking(options: LinkingOptions): Linking {
  const { clock, signingKey, chain, push } = options;
  let head = options.end.head;
  let unsignedLines = options.end.unsignedLines;
  let segment = options.end.last?.header.segment ?? 0;
  let segmentBytes = options.end.last?.bytes ?? 0;
  let checkpoints = 0;
  let sealed = createEventParts(options.sealer.textNow());
  let clockGapMs = clock.now() - clock.monotonicMs();

  const room = Buffer.allocUnsafeSlow(LINE_BYTES_MAX);

  const link = (bytes: number, hash: string): void => {
    push(room, bytes, segment);
    head = { seq: head.seq + 1, hash };
    segmentBytes += bytes;
    unsignedLines += 1;
  };

  const add = ({ line, hash }: ChainLine): void => link(room.write(line, 0, 'latin1'), hash);

  const beginSegment = (): void => {
    segment += 1;
    segmentBytes = 0;
    add(headerLine(head, { format: FORMAT, chain, segment, timeMs: clock.now(), keyId: signingKey.keyId }));
  };

  const sealedParts = (): EventParts => {
    const textOf = options.sealer.textNow();
    if (textOf !== sealed.textOf) sealed = createEventParts(textOf);
    return sealed;
  };

  const record = (event: AuditEvent): void => {
    const parts = event.kind === 'system' ? inTheOpen : sealedParts();
    const { bytes, hash } = sealInto(room, eventBody(head, event, clock.monotonicMs(), parts));
    link(bytes, hash);
  };

  const recordClockStep = (): void => {
    const gapMs = clock.now() - clock.monotonicMs();
    const stepMs = Math.round(gapMs - clockGapMs);
    clockGapMs = gapMs;
    if (Math.abs(stepMs) < CLOCK_STEP_MS) return;
    const detail = `the wall clock was stepped by ${stepMs} ms`;
    record(systemEvent(clock, 'clock.step', { severity: 'medium', detail }));
  };

  const checkpoint = (): void => {
    if (unsignedLines === 0) return;
    recordClockStep();
    const content: Checkpoint = {
      seq: head.seq,
      hash: head.hash,
      chain,
      timeMs: clock.now(),
      keyId: signingKey.keyId,
    };
    const signed = checkpointLine(content, signingKey.sign(checkpointMessage(content)));
    add(signed);
    unsignedLines = 0;
    checkpoints += 1;
    options.onCheckpoint(signed.line);
  };

  const rotate = (): void => {
    checkpoint();
    beginSegment();
  };

  if (segment === 0) beginSegment();

  return {
    checkpoint,
    rotate,
    record(event) {
      if (segmentBytes >= options.segmentBytesMax) rotate();
      record(event);
      if (unsignedLines >= UNSIGNED_LINES_MAX) checkpoint();
    },
    seq: () => head.seq,
    segment: () => segment,
    checkpoints: () => checkpoints,
  };
}
