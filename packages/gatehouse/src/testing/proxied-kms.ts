import type { FaultProxy, ProxyBehaviour } from './fault-proxy.ts';
import type { KmsUnderTest } from './kms-conformance.ts';

/** Troubles that a proxy can make for any KMS that speaks HTTP. */
export const PROXY_OUTAGES = ['connections cut', 'no answer', 'throttled', 'failing'] as const;

const answers: Readonly<Record<string, ProxyBehaviour>> = {
  'connections cut': 'reset',
  'no answer': 'hang',
  throttled: { status: 429, body: '{"errors":[]}', headers: { 'retry-after': '3600' } },
  failing: { status: 503, body: '{"errors":["Vault is sealed"]}' },
};

/**
 * The troubles and the lies of a KMS behind a proxy.
 * @param isLie which answers are repeated instead of new ones.
 * @param more behaviours of this KMS alone, by the name of the trouble.
 */
export function proxiedKms(
  proxy: FaultProxy,
  isLie: (url: string) => boolean,
  more: Readonly<Record<string, ProxyBehaviour>> = {},
): Required<Pick<KmsUnderTest, 'begin' | 'end' | 'repeatLastAnswer' | 'answerHonestly'>> {
  let last = '';
  const listen = (): void =>
    proxy.rewrite((url, body) => {
      if (isLie(url)) last = body;
      return body;
    });
  listen();
  return {
    begin(trouble) {
      const behaviour = { ...answers, ...more }[trouble];
      if (behaviour === undefined) throw new Error(`no such trouble: ${trouble}`);
      proxy.behave(behaviour);
    },
    end: () => proxy.behave('pass'),
    repeatLastAnswer: () => proxy.rewrite((url, body) => (isLie(url) ? last : body)),
    answerHonestly: listen,
  };
}
