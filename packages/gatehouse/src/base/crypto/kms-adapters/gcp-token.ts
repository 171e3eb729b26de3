import { access, constants } from 'node:fs/promises';
import type { GoogleAuth } from 'google-auth-library';
import { KmsKeyDisabledError, KmsUnavailableError } from '../kms.ts';
import type { BearerSource } from './https/bearer.ts';
import { fieldOf } from './https/json-fields.ts';
import { loadPackage } from './load-package.ts';

const SCOPE = 'https://www.googleapis.com/auth/cloudkms';

/** Google's library finds the credentials, asks for tokens and keeps them until they end. */
export async function openGcpTokens(credentialsFile: string | undefined): Promise<BearerSource> {
  if (credentialsFile !== undefined) {
    await access(credentialsFile, constants.R_OK).catch((error: unknown) => {
      const problem = `gcp credentialsFile ${credentialsFile} cannot be read: give this user read access`;
      throw new Error(problem, { cause: error });
    });
  }
  const library = await loadPackage('google-auth-library', () => import('google-auth-library'));
  const create = (): GoogleAuth =>
    new library.GoogleAuth({
      scopes: SCOPE,
      ...(credentialsFile === undefined ? {} : { keyFilename: credentialsFile }),
    });
  let auth = create();
  return {
    load: async () => await tokenOf(auth),
    forget() {
      auth = create();
    },
  };
}

async function tokenOf(auth: GoogleAuth): Promise<string> {
  try {
    const token = await auth.getAccessToken();
    if (typeof token === 'string' && token !== '') return token;
  } catch (error) {
    // Its errors carry request and reply with them: only the status is kept.
    const status = fieldOf(error, 'response', 'status') ?? fieldOf(error, 'status');
    if (status === 400 || status === 401 || status === 403) {
      throw new KmsKeyDisabledError(`the credentials are refused (status ${status})`);
    }
  }
  throw new KmsUnavailableError('no access token could be had');
}
