import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeNewFile } from '@lebureau/kit/writeNewFile';

/**
 * The public keys of the gateways that are trusted, PEM. Where none is given, that of the file `gateway-key` in the home
 * folder, which is made once with mode 600 and read by the gateway on this machine.
 */
export function gatewayKeys(home: string, given: string | undefined): string[] {
  if (given !== undefined) return blocksOf(given);
  const path = join(home, 'gateway-key');
  if (!existsSync(path)) {
    const { privateKey } = generateKeyPairSync('ed25519');
    writeNewFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  }
  return [createPublicKey(readFileSync(path, 'utf8')).export({ type: 'spki', format: 'pem' }).toString()];
}

function blocksOf(text: string): string[] {
  const blocks = text.match(/-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g) ?? [];
  if (blocks.length === 0) throw new Error('LEBUREAU_GATEWAY_PUBLIC_KEY holds no public key in PEM.');
  return blocks;
}
