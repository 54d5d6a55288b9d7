import { Fault } from '@lebureau/kit/fault';

export interface ByteRange {
  firstByte: number;
  lengthBytes: number;
  /** Whether the answer is 206. */
  isPart: boolean;
}

/**
 * What a `Range` header asks of a file (RFC 9110, 14.2). One range of bytes is honoured; several, another unit and
 * malformed ones are ignored, as the RFC allows, and the whole file is meant.
 * @throws Fault range_not_satisfiable with `sizeBytes`
 */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange {
  const whole = { firstByte: 0, lengthBytes: sizeBytes, isPart: false };
  const parts = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  if (parts === null || (parts[1] === '' && parts[2] === '')) return whole;
  if (parts[1] === '') {
    const lengthBytes = Math.min(Number(parts[2]), sizeBytes);
    if (lengthBytes === 0) throw outside(sizeBytes);
    return { firstByte: sizeBytes - lengthBytes, lengthBytes, isPart: true };
  }
  const firstByte = Number(parts[1]);
  const lastByte = parts[2] === '' ? sizeBytes - 1 : Math.min(Number(parts[2]), sizeBytes - 1);
  if (parts[2] !== '' && Number(parts[2]) < firstByte) return whole;
  if (firstByte >= sizeBytes) throw outside(sizeBytes);
  return { firstByte, lengthBytes: lastByte - firstByte + 1, isPart: true };
}

function outside(sizeBytes: number): Fault {
  return new Fault('range_not_satisfiable', `The file has ${sizeBytes} bytes.`, { members: { sizeBytes } });
}
