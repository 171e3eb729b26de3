import { namespaceOfHost } from '#base/model/namespace-id';
import type { DirectorySnapshot, NamespaceRecord } from '#base/model/namespace-record';
import type { CertificatePrincipal } from '#base/model/principal';
import { type Refusal, refuse } from '#base/model/refusals';
import type { CaBundle } from '#base/pki/ca-bundle';
import { parseStoredCaBundle } from '#base/pki/ca-bundle';
import {
  type CertificateIdentity,
  type ClientVerdict,
  verifyClientCertificate,
} from '#base/pki/client-certificate';
import type { CallHead, Connection, IdentifiedCall } from './identified-call.ts';

export interface IdentifySettings {
  readonly domain: string;
  readonly region: string;
  now(): number;
}

/** A connection's verdict, kept for as long as the namespace's row is the very same object. */
interface Verdict {
  readonly record: NamespaceRecord;
  readonly verdict: ClientVerdict;
  readonly principal: CertificatePrincipal | undefined;
  /** The `:authority` that last passed on this connection: clients send the same one with every call. */
  authority: string | undefined;
}

/**
 * Who is calling, and for which one namespace? The certificate of this connection is checked against the
 * bundle in force now: a changed row means a new check, so nothing is admitted on an old verdict (T-016).
 */
export class Identifier {
  readonly #settings: IdentifySettings;
  readonly #verdicts = new WeakMap<Connection, Verdict>();
  readonly #bundles = new WeakMap<NamespaceRecord, CaBundle>();

  constructor(settings: IdentifySettings) {
    this.#settings = settings;
  }

  /** @throws Refusal where the caller is not known or the namespace is in doubt. */
  identify(head: CallHead, snapshot: DirectorySnapshot): IdentifiedCall {
    const { connection } = head;
    if (head.ambiguous) throw refuse('header_ambiguous', { publicDetail: 'temporal-namespace-bin' });
    const namespace = this.#namespaceOf(connection, snapshot);
    const verdict = this.#verdictOf(connection, namespace);
    const principal = this.#principalOf(verdict);
    if (head.authority !== verdict.authority) {
      this.#checkAuthority(head, namespace);
      verdict.authority = head.authority;
    }
    this.#checkNamespaceHeaders(head, namespace);
    return { head, principal, namespace, snapshot };
  }

  /** Would a new call on this connection be admitted? Used to close what a change no longer admits. */
  admits(connection: Connection, snapshot: DirectorySnapshot): Refusal | undefined {
    try {
      this.#principalOf(this.#verdictOf(connection, this.#namespaceOf(connection, snapshot)));
      return undefined;
    } catch (error) {
      return error as Refusal;
    }
  }

  #namespaceOf(connection: Connection, snapshot: DirectorySnapshot): NamespaceRecord {
    const record = snapshot.namespaces.get(connection.namespaceId);
    if (record === undefined || record.state === 'deleted' || record.region !== this.#settings.region) {
      throw refuse('namespace_unknown');
    }
    if (record.state === 'suspended') throw refuse('namespace_suspended');
    if (connection.tls12 && !record.allowTls12) throw refuse('tls_version_refused');
    return record;
  }

  #principalOf({ verdict, principal }: Verdict): CertificatePrincipal {
    if (!verdict.admitted || principal === undefined) {
      const mismatch = !verdict.admitted && verdict.reason === 'filter_mismatch';
      throw refuse(mismatch ? 'certificate_filter_mismatch' : 'certificate_not_admitted', {
        detail: verdict.admitted ? 'no principal' : verdict.reason,
      });
    }
    // The verdict is from the handshake; only time can have changed since.
    if (this.#settings.now() > verdict.identity.admittedUntilMs) throw refuse('certificate_expired');
    return principal;
  }

  #verdictOf(connection: Connection, record: NamespaceRecord): Verdict {
    if (connection.certificates.length === 0) throw refuse('certificate_missing');
    const kept = this.#verdicts.get(connection);
    if (kept?.record === record) return kept;
    let bundle = this.#bundles.get(record);
    if (bundle === undefined) {
      bundle = parseStoredCaBundle(record.caBundlePem);
      this.#bundles.set(record, bundle);
    }
    const verdict = verifyClientCertificate(
      connection.certificates,
      bundle,
      record.certificateFilters,
      this.#settings.now(),
    );
    const principal = verdict.admitted ? principalOf(record, verdict.identity) : undefined;
    const judged: Verdict = { record, verdict, principal, authority: undefined };
    this.#verdicts.set(connection, judged);
    return judged;
  }

  /**
   * `:authority` follows the server name in some SDKs and the dialled address in others, so only a host of
   * this platform can contradict: then it must be the namespace's own.
   */
  #checkAuthority(head: CallHead, namespace: NamespaceRecord): void {
    const host = head.authority.replace(/:\d+$/, '');
    const underDomain = host.toLowerCase().replace(/\.$/, '').endsWith(`.${this.#settings.domain}`);
    if (underDomain && namespaceOfHost(host, this.#settings.domain) !== namespace.id) {
      throw refuse('namespace_mismatch', { detail: ':authority' });
    }
  }

  #checkNamespaceHeaders(head: CallHead, namespace: NamespaceRecord): void {
    const [first, ...others] = head.namespaceHeaders;
    if (others.some((other) => other !== first))
      throw refuse('header_ambiguous', { publicDetail: 'temporal-namespace' });
    if (first === undefined || first === namespace.id) return;
    if (first.includes(',')) throw refuse('header_ambiguous', { publicDetail: 'temporal-namespace' });
    throw refuse('namespace_mismatch', { detail: 'temporal-namespace header' });
  }
}

function principalOf(record: NamespaceRecord, identity: CertificateIdentity): CertificatePrincipal {
  const { fingerprint, issuer, serial, notAfterMs } = identity;
  return Object.freeze({
    kind: 'certificate',
    namespaceId: record.id,
    label: `certificate:${fingerprint}`,
    credential: `${issuer} ${serial}`,
    fingerprint,
    issuer,
    serial,
    notAfterMs,
  });
}
