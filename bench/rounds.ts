/**
 * `A B B A`: each round goes through the subjects forth and back, so that a machine that gets slower (or a
 * neighbour that wakes up) weighs on all of them alike.
 */
export async function inRounds<S>(
  subjects: readonly S[],
  rounds: number,
  read: (subject: S) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const subject of subjects) await read(subject);
    for (const subject of subjects.toReversed()) await read(subject);
  }
}
