import type { OpenRules } from '#core/sealing/open-message';
import type { Sealing } from '#core/sealing/sealing';

/** For namespaces that have no keys. */
export const noSealing: Sealing = {
  keysFor: () => undefined,
  peer: () => undefined,
  load: () => Promise.resolve(false),
};

/** The same, for one reply. */
export const noKeys: OpenRules = {
  strict: false,
  keyring: undefined,
  peer: () => undefined,
};
