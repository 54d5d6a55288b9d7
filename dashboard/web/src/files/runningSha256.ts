import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

/** SHA-256 of a file of any size, piece by piece, which the browser's own cannot. */
export function runningSha256() {
  const hash = sha256.create();
  return {
    update: (bytes: Uint8Array) => hash.update(bytes),
    digest: () => bytesToHex(hash.digest()),
  };
}
