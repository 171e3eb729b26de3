import { namespaceOfHost } from '#base/model/namespace-id';
import type { DirectorySnapshot, NamespaceRecord } from '#base/model/namespace-record';
import type { CertificatePrincipal } from '#base/model/principal';
import { type Refusal, refuse } from '#base/model/refusals';
import type { CaBundle } from '#base/pki/ca-bundle';
import { parseStoredCaBundle } from '#base/pki/ca-bundle';
import { type ClientVerdict, verifyClientCertificate } from '#base/pki/client-certificate';
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
    if (head.ambiguous) throw refuse('header_ambiguous');
    const namespace = this.#namespaceOf(connection, snapshot);
    const principal = this.#principalOf(connection, namespace);
    this.#checkAuthority(head, namespace);
    this.#checkNamespaceHeaders(head, namespace);
    return { head, principal, namespace, snapshot };
  }

  /** Would a new call on this connection be admitted? Used to close what a change no longer admits. */
  admits(connection: Connection, snapshot: DirectorySnapshot): Refusal | undefined {
    try {
      this.#principalOf(connection, this.#namespaceOf(connection, snapshot));
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

  #principalOf(connection: Connection, record: NamespaceRecord): CertificatePrincipal {
    if (connection.certificates.length === 0) throw refuse('certificate_missing');
    const kept = this.#verdicts.get(connection);
    const verdict = kept?.record === record ? kept.verdict : this.#judge(connection, record);
    if (!verdict.admitted) {
      const code =
        verdict.reason === 'filter_mismatch' ? 'certificate_filter_mismatch' : 'certificate_not_admitted';
      throw refuse(code, { detail: verdict.reason });
    }
    const { fingerprint, issuer, serial, notAfterMs, admittedUntilMs } = verdict.identity;
    // The verdict is from the handshake; only time can have changed since.
    if (this.#settings.now() > admittedUntilMs) throw refuse('certificate_expired');
    return { kind: 'certificate', namespaceId: record.id, fingerprint, issuer, serial, notAfterMs };
  }

  #judge(connection: Connection, record: NamespaceRecord): ClientVerdict {
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
    this.#verdicts.set(connection, { record, verdict });
    return verdict;
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
