import { z } from 'zod';
import { file, secret, text } from './schema-parts.ts';

const url = z.string().regex(/^https?:\/\/[^\s/]+/, 'must be a URL, such as https://kms.example.com');
const keyName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/,
    'must be letters, digits, `.`, `_` and `-`, at most 100, beginning with a letter or digit',
  );

const local = z.strictObject({
  kind: z.literal('local').describe('A key in a file of this machine.'),
  keyFile: file
    .optional()
    .describe('`local`: Where the key lies, 32 bytes; made on first use. Absent: the key in the home.'),
});

const vault = z.strictObject({
  kind: z.literal('vault').describe('The transit engine of Vault or OpenBao.'),
  address: url.describe('`vault`: URL of the server. http on the loopback only.'),
  mount: text.default('transit').describe('`vault`: Path of the transit engine.'),
  key: text.describe(
    'Name of the key; `aws`: id, ARN or alias; `gcp`: `projects/P/locations/L/keyRings/R/cryptoKeys/K`.',
  ),
  token: secret.describe(
    '`vault`: A secret: the token of a policy that may encrypt and decrypt with the key.',
  ),
  caFile: file
    .optional()
    .describe('`vault`: PEM of the CAs that the server is checked by. Absent: the public ones.'),
  vaultNamespace: text.optional().describe('`vault`: Vault namespace, where the server has them.'),
});

const aws = z.strictObject({
  kind: z.literal('aws').describe('AWS KMS.'),
  key: text.describe('Id, ARN or alias of a symmetric key.'),
  region: text.describe('`aws`: AWS region of the key.'),
  endpoint: url.optional().describe('`aws`, `gcp`: URL instead of the public one of the service.'),
  accessKeyId: text
    .optional()
    .describe("`aws`: Absent: the AWS SDK's own chain, such as the role of the machine."),
  secretAccessKey: secret.optional().describe('`aws`: A secret. Given together with `accessKeyId`.'),
});

const gcp = z.strictObject({
  kind: z.literal('gcp').describe('Google Cloud KMS.'),
  key: text.describe('`projects/P/locations/L/keyRings/R/cryptoKeys/K`, a symmetric key.'),
  endpoint: url.optional().describe('URL instead of the public one of the service.'),
  credentialsFile: file
    .optional()
    .describe(
      '`gcp`: JSON key of a service account, readable by this user only. Absent: the default credentials.',
    ),
});

const azure = z.strictObject({
  kind: z.literal('azure').describe('Azure Key Vault or Managed HSM.'),
  vaultUrl: url.describe('`azure`: URL of the vault, such as https://example.vault.azure.net.'),
  key: text.describe('Name of an RSA key.'),
  version: text.optional().describe('`azure`: Version of the key that wraps. Absent: the current one.'),
  tenantId: text.optional().describe('`azure`: Tenant of the application. Absent: a managed identity.'),
  clientId: text
    .optional()
    .describe('`azure`: Application, or managed identity where there is no `clientSecret`.'),
  clientSecret: secret.optional().describe('`azure`: A secret: that of the application.'),
  authorityHost: url.optional().describe('`azure`: Where a sovereign cloud signs in.'),
});

const pkcs11 = z.strictObject({
  kind: z.literal('pkcs11').describe('A hardware module behind its PKCS#11 library.'),
  library: file.describe("`pkcs11`: Path of the vendor's library."),
  tokenLabel: text.describe('`pkcs11`: Label of the token that holds the key.'),
  keyLabel: text.describe('`pkcs11`: Label of an AES-256 key that can neither leave the token nor be read.'),
  pin: secret.describe('`pkcs11`: A secret: the user PIN of the token.'),
});

const kms = z.discriminatedUnion('kind', [local, vault, aws, gcp, azure, pkcs11]);

const namedKey = z
  .strictObject({
    name: keyName.describe('Its name here, as `encryption.kmsKey` of a namespace has it.'),
    kms: kms.describe('The KMS and the key in it.'),
  })
  .describe('A KMS key for single namespaces, such as those of one customer.');

/** Key management of the whole platform. */
export const encryption = z
  .strictObject({
    kms: kms
      .default({ kind: 'local' })
      .describe('The key that wraps the keys of every namespace without one of its own.'),
    previousKms: z
      .array(kms)
      .max(20)
      .default([])
      .describe('Earlier keys, only to open what they wrapped until it is wrapped anew.'),
    keys: z.array(namedKey).default([]).describe('KMS keys for single namespaces or customers.'),
    cacheMinutes: z
      .int()
      .min(1)
      .max(60)
      .default(60)
      .describe('How long an unwrapped key may serve without asking the KMS again, in minutes.'),
    dataKeyMinutes: z.int().min(1).max(60).default(60).describe('Longest life of a data key, in minutes.'),
    dataKeyMessages: z
      .int()
      .min(1)
      .max(2 ** 32)
      .default(2 ** 24)
      .describe('The most that one data key seals.'),
    namespaceKeyDays: z
      .int()
      .min(1)
      .max(3650)
      .default(365)
      .describe(
        'Age at which a namespace gets a new key, in days. Older keys stay, to open what they sealed.',
      ),
  })
  .prefault({})
  .describe('Keys of what the platform keeps sealed.');

/** How one namespace is kept. */
export const namespaceEncryption = z
  .strictObject({
    atRest: z
      .enum(['on', 'migrate', 'off'])
      .default('on')
      .describe(
        'on: sealed, and nothing else is read back. migrate: sealed, and what was stored before stays readable; a namespace that exists unsealed gets this for `on`, until `gatehouse keys seal`. off: stored as it comes; what was sealed stays readable.',
      ),
    kmsKey: keyName
      .optional()
      .describe('Name in `encryption.keys` of the KMS key that wraps its keys. Absent: `encryption.kms`.'),
    sealedAttributes: z
      .array(text.max(200))
      .max(200)
      .default([])
      .describe(
        'Keyword and KeywordList search attributes whose values are sealed too: equality and IN go on.',
      ),
    clientSide: z
      .enum(['off', 'report', 'require'])
      .default('off')
      .describe(
        'What becomes of payloads that its clients did not encrypt: taken; taken and recorded; refused.',
      ),
    plaintextAllowed: z
      .array(text.max(200))
      .max(200)
      .default([])
      .describe('Places where plaintext passes although `clientSide` is `require`.'),
  })
  .prefault({})
  .describe('How its payloads are kept.');
