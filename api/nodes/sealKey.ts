import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeNewFile } from '@lebureau/kit/writeNewFile';
import type { SealKeys } from './authorityRows.ts';
import { sealKeyBytes } from './seal.ts';

interface GivenKeys {
  nodeCaKey: string | undefined;
  nodeCaFormerKey: string | undefined;
}

/** The key that seals now, and the one before it where that was replaced. */
export function readSealKeys(home: string, given: GivenKeys): SealKeys {
  const { nodeCaKey, nodeCaFormerKey } = given;
  const former =
    nodeCaFormerKey === undefined ? {} : { former: checked(nodeCaFormerKey, 'LEBUREAU_NODE_CA_FORMER_KEY') };
  return { current: readSealKey(home, nodeCaKey), ...former };
}

/**
 * The key under which the private keys of our authorities lie in the database: the one given, or that of the file
 * `node-ca-key` in the home folder, made once with mode 600.
 */
function readSealKey(home: string, given: string | undefined): Buffer {
  if (given !== undefined) return checked(given, 'LEBUREAU_NODE_CA_KEY');
  const path = join(home, 'node-ca-key');
  if (!existsSync(path)) writeNewFile(path, `${randomBytes(sealKeyBytes).toString('base64')}\n`);
  return checked(readFileSync(path, 'utf8').trim(), path);
}

function checked(text: string, where: string): Buffer {
  const key = Buffer.from(text, 'base64');
  if (key.length === sealKeyBytes) return key;
  throw new Error(`${where} must hold ${sealKeyBytes} bytes in base64, as \`openssl rand -base64 32\` prints them.`);
}
