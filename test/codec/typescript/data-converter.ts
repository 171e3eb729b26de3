/** The setting of an application: all that a Worker or client needs to encrypt. Keys come from CODEC_KEYS. */
import { encryptedDataConverter, keysFromEnvironment } from '../../../packages/codec/src/index.ts';

export default await encryptedDataConverter({ keys: keysFromEnvironment('CODEC_KEYS') });
