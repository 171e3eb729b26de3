// No test itself: how tests wait.

/** What waits for longer waits in vain. */
const WAIT_MS = 5000;

/** Waits for a condition that nothing announces. @throws Error where it does not come about. */
export async function until(holds: () => boolean, what = 'a condition'): Promise<void> {
  const endsAt = performance.now() + WAIT_MS;
  while (!holds()) {
    if (performance.now() > endsAt) throw new Error(`waited for ${what} in vain`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Lets everything happen that needs no more than the turn under way. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
