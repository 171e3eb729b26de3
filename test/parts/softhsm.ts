import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pkcs11js, { type Handle, type Template } from 'pkcs11js';

/** Where the packages of Debian, Ubuntu, Fedora, Alpine and Homebrew put it. */
const places = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
];

/** A token of SoftHSM in a folder of its own; it is administered from this process, and used from others. */
export interface SoftHsm {
  readonly library: string;
  readonly tokenLabel: string;
  readonly pin: string;
  createKey(label: string, options?: { readonly isExtractable?: boolean }): void;
  destroyKey(label: string): void;
  /** May the key encrypt and decrypt? */
  setUsable(label: string, isUsable: boolean): void;
  changePin(from: string, to: string): void;
  /** The token is not there any more, as when it is pulled out. */
  pullOut(): Promise<void>;
  putBack(): Promise<void>;
  close(): Promise<void>;
}

/** Sets SOFTHSM2_CONF of this process: children that are started later see the token. One at a time. */
export async function startSoftHsm(): Promise<SoftHsm> {
  const library = places.find((path) => existsSync(path));
  if (library === undefined) {
    throw new Error('SoftHSM is not installed: apt-get install softhsm2, or the like of it elsewhere');
  }
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-hsm-'));
  const tokens = join(folder, 'tokens');
  await mkdir(tokens);
  const lines = [`directories.tokendir = ${tokens}`, 'objectstore.backend = file', 'log.level = ERROR'];
  await writeFile(join(folder, 'softhsm2.conf'), `${lines.join('\n')}\n`);
  process.env['SOFTHSM2_CONF'] = join(folder, 'softhsm2.conf');
  const tokenLabel = 'gatehouse';
  const pin = '246813579';
  initialise(library, tokenLabel, pin);
  const change = (
    label: string,
    run: (module: pkcs11js.PKCS11, session: Handle, key: Handle) => void,
  ): void =>
    asUser(library, tokenLabel, pin, (module, session) => {
      module.C_FindObjectsInit(session, [{ type: pkcs11js.CKA_LABEL, value: label }]);
      const [key] = module.C_FindObjects(session, 1);
      module.C_FindObjectsFinal(session);
      if (key === undefined) throw new Error(`no key ${label}`);
      run(module, session, key);
    });
  return {
    library,
    tokenLabel,
    pin,
    createKey: (label, { isExtractable = false } = {}) =>
      asUser(library, tokenLabel, pin, (module, session) => {
        module.C_GenerateKey(
          session,
          { mechanism: pkcs11js.CKM_AES_KEY_GEN },
          keyTemplate(label, isExtractable),
        );
      }),
    destroyKey: (label) => change(label, (module, session, key) => module.C_DestroyObject(session, key)),
    setUsable: (label, isUsable) =>
      change(label, (module, session, key) =>
        module.C_SetAttributeValue(session, key, [
          { type: pkcs11js.CKA_ENCRYPT, value: isUsable },
          { type: pkcs11js.CKA_DECRYPT, value: isUsable },
        ]),
      ),
    changePin: (from, to) =>
      asUser(library, tokenLabel, from, (module, session) => module.C_SetPIN(session, from, to)),
    pullOut: () => rename(tokens, `${tokens}-away`),
    putBack: () => rename(`${tokens}-away`, tokens),
    close: () => rm(folder, { recursive: true }),
  };
}

function keyTemplate(label: string, isExtractable: boolean): Template {
  return [
    { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_SECRET_KEY },
    { type: pkcs11js.CKA_KEY_TYPE, value: pkcs11js.CKK_AES },
    { type: pkcs11js.CKA_VALUE_LEN, value: 32 },
    { type: pkcs11js.CKA_LABEL, value: label },
    { type: pkcs11js.CKA_TOKEN, value: true },
    { type: pkcs11js.CKA_SENSITIVE, value: !isExtractable },
    { type: pkcs11js.CKA_EXTRACTABLE, value: isExtractable },
    { type: pkcs11js.CKA_ENCRYPT, value: true },
    { type: pkcs11js.CKA_DECRYPT, value: true },
  ];
}

function initialise(library: string, tokenLabel: string, pin: string): void {
  withModule(library, (module) => {
    const [slot] = module.C_GetSlotList(false);
    if (slot === undefined) throw new Error('SoftHSM has no slot');
    // The standard wants the whole field, padded with blanks.
    module.C_InitToken(slot, '87654321', tokenLabel.padEnd(32));
    const session = module.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION);
    module.C_Login(session, pkcs11js.CKU_SO, '87654321');
    module.C_InitPIN(session, pin);
  });
}

function asUser(
  library: string,
  tokenLabel: string,
  pin: string,
  run: (module: pkcs11js.PKCS11, session: Handle) => void,
): void {
  withModule(library, (module) => {
    const slot = module
      .C_GetSlotList(true)
      .find((it) => module.C_GetTokenInfo(it).label.trimEnd() === tokenLabel);
    if (slot === undefined) throw new Error(`no token ${tokenLabel}`);
    const session = module.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION);
    module.C_Login(session, pkcs11js.CKU_USER, pin);
    run(module, session);
  });
}

/** Everything anew each time: what another process changed is seen, and nothing is held. */
function withModule(library: string, run: (module: pkcs11js.PKCS11) => void): void {
  const module = new pkcs11js.PKCS11();
  module.load(library);
  module.C_Initialize();
  try {
    run(module);
  } finally {
    module.C_Finalize();
    module.close();
  }
}
