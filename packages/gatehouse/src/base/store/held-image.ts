import type { DirectorySnapshot } from '#base/model/namespace-record';
import type { Clock } from '#base/runtime/clock';
import type { DirectoryImage } from './directory-image.ts';
import type { SealedCopy } from './sealed-copy.ts';

/** A moment by both clocks: the wall's to be kept on disk, the other to measure an age by. */
export interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

export function momentOf(clock: Clock): Moment {
  return { wallMs: clock.now(), monotonicMs: clock.monotonicMs() };
}

/** The image in force, as a snapshot with the moment of its last confirmation. */
export interface HeldImage {
  readonly image: DirectoryImage | undefined;
  /** @throws Error before the first image. */
  snapshot(): DirectorySnapshot;
  copy(): SealedCopy | undefined;
  ageMs(): number;
  confirm(image: DirectoryImage, at: Moment): void;
}

export function createHeldImage(seed: SealedCopy | undefined, clock: Clock): HeldImage {
  let image: DirectoryImage | undefined;
  let snapshot: DirectorySnapshot | undefined;
  let confirmedAt = -Infinity;
  const confirm = (next: DirectoryImage, at: Moment): void => {
    image = next;
    const { revision, namespaces } = next;
    snapshot = Object.freeze({ revision, confirmedAtMs: at.wallMs, namespaces });
    confirmedAt = at.monotonicMs;
  };
  if (seed !== undefined) {
    const seedAgeMs = Math.max(0, clock.now() - seed.confirmedAtMs);
    confirm(seed.image, { wallMs: seed.confirmedAtMs, monotonicMs: clock.monotonicMs() - seedAgeMs });
  }
  return {
    get image() {
      return image;
    },
    snapshot() {
      if (snapshot === undefined) throw new Error('the directory has not been read yet');
      return snapshot;
    },
    copy: () => image && snapshot && { image, confirmedAtMs: snapshot.confirmedAtMs },
    ageMs: () => clock.monotonicMs() - confirmedAt,
    confirm,
  };
}
