import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  CreateAliasCommand,
  CreateKeyCommand,
  KMSClient,
  RotateKeyOnDemandCommand,
} from '@aws-sdk/client-kms';
import {
  KmsKeyDisabledError,
  KmsUnavailableError,
  UnwrapError,
} from '../../packages/gatehouse/src/base/crypto/kms.ts';
import { openKms } from '../../packages/gatehouse/src/base/crypto/kms-adapters/open-kms.ts';
import { Secret } from '../../packages/gatehouse/src/base/crypto/secret.ts';
import { silentLog } from '../../packages/gatehouse/src/base/runtime/log.ts';
import {
  type FaultProxy,
  type ProxyAnswer,
  startFaultProxy,
} from '../../packages/gatehouse/src/testing/fault-proxy.ts';
import { kmsConformance } from '../../packages/gatehouse/src/testing/kms-conformance.ts';
import { PROXY_OUTAGES, proxiedKms } from '../../packages/gatehouse/src/testing/proxied-kms.ts';
import { type Moto, startMoto } from '../parts/moto.ts';

const REGION = 'eu-west-1';
const SECRET = 'secret-access-key-of-the-test';
const TIMEOUT_MS = 1000;

let moto: Moto;
let proxy: FaultProxy;
let admin: KMSClient;
let keyArn = '';

before(async () => {
  moto = await startMoto();
  proxy = await startFaultProxy(moto.address);
  const credentials = { accessKeyId: 'admin', secretAccessKey: 'admin' };
  admin = new KMSClient({ region: REGION, endpoint: moto.address, credentials });
  for (const alias of ['alias/payloads', 'alias/other']) {
    const made = await admin.send(new CreateKeyCommand({}));
    const id = made.KeyMetadata?.KeyId ?? '';
    if (alias === 'alias/payloads') keyArn = made.KeyMetadata?.Arn ?? '';
    await admin.send(new CreateAliasCommand({ AliasName: alias, TargetKeyId: id }));
  }
});

after(async () => {
  admin?.destroy();
  await proxy?.close();
  await moto?.close();
});

const open = (key: string, endpoint = proxy.address) =>
  openKms(
    {
      kind: 'aws',
      key,
      region: REGION,
      endpoint,
      accessKeyId: 'gatehouse',
      secretAccessKey: new Secret(Buffer.from(SECRET)),
    },
    { log: silentLog, timeoutMs: TIMEOUT_MS },
  );

/** An error as AWS documents it: moto looks neither at the state of a key nor at permissions. */
function awsError(type: string, status = 400): ProxyAnswer {
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-errortype': type };
  return { status, headers, body: JSON.stringify({ __type: type, message: `${type} ${SECRET}` }) };
}

const disablings = {
  'key disabled (documented answer)': awsError('DisabledException'),
  'key pending deletion (documented answer)': awsError('KMSInvalidStateException'),
  'no permission (documented answer)': awsError('AccessDeniedException'),
  'credentials expired (documented answer)': awsError('ExpiredTokenException', 403),
};
const outages = {
  'throttled by AWS (documented answer)': awsError('ThrottlingException'),
  'key unavailable (documented answer)': awsError('KeyUnavailableException', 500),
  'KMS internal error (documented answer)': awsError('KMSInternalException', 500),
};

kmsConformance(
  'aws (moto)',
  {
    outages: [...PROXY_OUTAGES, ...Object.keys(outages)],
    disablings: Object.keys(disablings),
    hasVersions: true,
    canLie: true,
    // moto's own: AWS answers IncorrectKeyException, see below.
    otherKeyError: 'KmsKeyDisabledError',
  },
  async () => {
    const proxied = proxiedKms(proxy, () => true, { ...outages, ...disablings });
    return {
      ...proxied,
      open: () => open('alias/payloads'),
      openOther: () => open('alias/other'),
      timeoutMs: TIMEOUT_MS,
      secrets: [SECRET],
      logLines: [],
      rotate: async () => {
        await admin.send(new RotateKeyOnDemandCommand({ KeyId: keyArn }));
      },
      close: async () => undefined,
    };
  },
);

const key = (): Secret => new Secret(Buffer.from('a namespace key'));

test('what another key wrapped is refused, as AWS answers it', async () => {
  const kms = await open(keyArn);
  const wrapped = await kms.wrap(key(), 'row');
  for (const type of ['IncorrectKeyException', 'InvalidCiphertextException']) {
    proxy.behave(awsError(type));
    await assert.rejects(kms.unwrap(wrapped, 'row'), UnwrapError);
  }
  proxy.behave('pass');
  await kms.close();
});

test('id, ARN and alias all name a key, and a key that does not exist is not used', async () => {
  for (const name of [keyArn, keyArn.split('/').at(-1) ?? '', 'alias/payloads']) {
    const kms = await open(name);
    assert.equal(kms.keyId, `aws:${REGION}:${name}`);
    assert.equal(
      (await kms.unwrap(await kms.wrap(key(), 'row'), 'row')).reveal().toString(),
      'a namespace key',
    );
    await kms.close();
  }
  const missing = await open('alias/missing');
  await assert.rejects(missing.wrap(key(), 'row'), KmsKeyDisabledError);
  await missing.close();
});

test('F-06 a KMS that slows down while calls run, then goes away: each call is right or unavailable', async () => {
  const kms = await open('alias/payloads');
  let isRunning = true;
  let good = 0;
  let failed = 0;
  const load = Array.from({ length: 8 }, async (_, worker) => {
    while (isRunning) {
      try {
        const wrapped = await kms.wrap(key(), `row ${worker}`);
        assert.equal((await kms.unwrap(wrapped, `row ${worker}`)).reveal().toString(), 'a namespace key');
        good += 1;
      } catch (error) {
        assert.ok(error instanceof KmsUnavailableError, String(error));
        failed += 1;
      }
    }
  });
  for (const behaviour of ['hang', 'pass', 'reset', 'pass'] as const) {
    proxy.behave(behaviour);
    const [goodBefore, failedBefore] = [good, failed];
    const isDone = (): boolean => (behaviour === 'pass' ? good > goodBefore + 10 : failed > failedBefore + 8);
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        if (!isDone()) return;
        clearInterval(timer);
        resolve();
      }, 10);
    });
  }
  isRunning = false;
  await Promise.all(load);
  await kms.close();
});

test('one of the two credentials alone is refused at the start', async () => {
  const spec = { kind: 'aws', key: 'alias/payloads', region: REGION, accessKeyId: 'gatehouse' } as const;
  await assert.rejects(
    openKms(spec, { log: silentLog }),
    /accessKeyId and secretAccessKey are given together/,
  );
});
