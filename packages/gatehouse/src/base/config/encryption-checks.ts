import type { CrossFault } from './cross-fault.ts';
import { valueAt } from './value-at.ts';

/** What must fit together in the keys of a configuration, and between them and the namespaces. */
export function encryptionChecks(config: unknown): readonly CrossFault[] {
  return [...kmsPlaces(config).flatMap((key) => kmsFaults(config, key)), ...keyNames(config)];
}

/** The dotted keys under which a KMS stands. */
function kmsPlaces(config: unknown): readonly string[] {
  const numbered = (key: string, end: string): string[] =>
    listAt(config, key).map((_, index) => `${key}.${index}${end}`);
  return [
    'encryption.kms',
    ...numbered('encryption.previousKms', ''),
    ...numbered('encryption.keys', '.kms'),
  ];
}

const URLS = ['address', 'endpoint', 'vaultUrl', 'authorityHost'];

function kmsFaults(config: unknown, place: string): readonly CrossFault[] {
  const isSet = (name: string): boolean => valueAt(config, `${place}.${name}`) !== undefined;
  const faults: CrossFault[] = URLS.filter((name) => isInClear(valueAt(config, `${place}.${name}`))).map(
    (name) => ({
      key: `${place}.${name}`,
      problem: 'must begin with https: http is for a server on this machine only',
    }),
  );
  const need = (name: string, where: string): void => {
    if (isSet(where) && !isSet(name)) {
      faults.push({ key: `${place}.${name}`, problem: `is missing: it is needed where ${where} is set` });
    }
  };
  need('secretAccessKey', 'accessKeyId');
  need('accessKeyId', 'secretAccessKey');
  need('clientId', 'clientSecret');
  need('tenantId', 'clientSecret');
  return faults;
}

/** Keys and credentials must not cross a network in clear. */
function isInClear(url: unknown): boolean {
  if (typeof url !== 'string' || !URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === 'http:' && !(hostname === 'localhost' || hostname === '[::1]' || isLoopback(hostname));
}

function isLoopback(hostname: string): boolean {
  return /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function keyNames(config: unknown): readonly CrossFault[] {
  const names = listAt(config, 'encryption.keys').map((entry) => valueAt(entry, 'name'));
  const faults: CrossFault[] = [];
  names.forEach((name, index) => {
    const first = names.indexOf(name);
    if (name === undefined || first === index) return;
    faults.push({
      key: `encryption.keys.${index}.name`,
      problem: `is that of encryption.keys.${first} too: choose another`,
    });
  });
  listAt(config, 'namespaces').forEach((namespace, index) => {
    const name = valueAt(namespace, 'encryption.kmsKey');
    if (name === undefined || names.includes(name)) return;
    faults.push({
      key: `namespaces.${index}.encryption.kmsKey`,
      problem: 'is not a name in encryption.keys: add the key there, or remove this',
    });
  });
  return faults;
}

function listAt(config: unknown, key: string): readonly unknown[] {
  const list = valueAt(config, key);
  return Array.isArray(list) ? list : [];
}
