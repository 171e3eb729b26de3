import { type Kms, UnwrapError } from '#base/crypto/kms';
import { type KmsSpec, openKms } from '#base/crypto/kms-adapters/open-kms';
import type { NamespaceRecord } from '#base/model/namespace-record';
import type { Log } from '#base/runtime/log';

/** The KMS keys of a configuration. */
export interface KmsSpecs {
  /** Wraps whatever has no KMS key of its own. */
  readonly platform: KmsSpec;
  /** Only opened with: what they wrapped is wrapped anew by `gatehouse keys rewrap`. */
  readonly previous: readonly KmsSpec[];
  /** KMS keys of single namespaces, by the name that the configuration gives them. */
  readonly named: readonly { readonly name: string; readonly spec: KmsSpec }[];
}

export interface KmsKeys {
  /** Wraps with the platform's key, opens with any of its keys, before and now. */
  readonly platform: Kms;
  /** The key that wraps what is made for a namespace; undefined where its name is not configured. */
  wrapperOf(record: NamespaceRecord): Kms | undefined;
  /** A KMS key by its id. */
  byId(kmsKeyId: string): Kms | undefined;
  close(): Promise<void>;
}

/** @throws Error with the setting, the problem and the fix where one of them cannot work. */
export async function openKmsKeys(specs: KmsSpecs, log: Log): Promise<KmsKeys> {
  const opened: Kms[] = [];
  const open = async (spec: KmsSpec): Promise<Kms> => {
    const kms = await openKms(spec, { log });
    opened.push(kms);
    return kms;
  };
  const close = async (): Promise<void> => {
    await Promise.all(opened.map((kms) => kms.close()));
  };
  try {
    const current = await open(specs.platform);
    const previous: Kms[] = [];
    for (const spec of specs.previous) previous.push(await open(spec));
    const named = new Map<string, Kms>();
    for (const { name, spec } of specs.named) named.set(name, await open(spec));
    return {
      platform: platformKms(current, previous),
      wrapperOf: ({ kmsKey }) => (kmsKey === '' ? current : named.get(kmsKey)),
      byId: (kmsKeyId) => opened.find(({ keyId }) => keyId === kmsKeyId),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function platformKms(current: Kms, previous: readonly Kms[]): Kms {
  if (previous.length === 0) return current;
  return {
    keyId: current.keyId,
    wrap: (plaintext, aad) => current.wrap(plaintext, aad),
    async unwrap(wrapped, aad) {
      let trouble: unknown;
      for (const kms of [current, ...previous]) {
        try {
          return await kms.unwrap(wrapped, aad);
        } catch (error) {
          // Wrapped by another of them, maybe. That one is away says more than that the others cannot.
          if (!(error instanceof UnwrapError)) trouble ??= error;
        }
      }
      throw trouble ?? new UnwrapError();
    },
    close: () => Promise.resolve(),
  };
}
