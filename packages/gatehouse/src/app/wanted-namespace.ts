import type { CertificateFilter } from '#base/model/certificate-filter';
import type { NamespaceLimits } from '#base/model/limits';
import type { NamespaceRecord } from '#base/model/namespace-record';
import type { EncryptionSettings } from '#base/store/directory';

/** A namespace as it should be. What is left out keeps its value, or gets the directory's default. */
export interface WantedNamespace {
  readonly id: string;
  readonly caPem: string;
  readonly certificateFilters?: readonly CertificateFilter[];
  readonly retentionDays?: number;
  readonly allowTls12?: boolean;
  readonly nexusEndpoints?: readonly string[];
  readonly auditMode?: NamespaceRecord['auditMode'];
  readonly encryption?: EncryptionSettings;
  /** All of them: what is left out here is the platform's. */
  readonly limits?: Partial<NamespaceLimits>;
}

export interface NamespaceFault {
  /** Index in the list that was given. */
  readonly index: number;
  readonly field: 'caPem' | 'certificateFilters' | 'sealedAttributes' | 'plaintextAllowed';
  readonly problem: string;
}
