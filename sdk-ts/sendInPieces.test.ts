import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { piecesOf, sendInPieces, type UploadCalls, type UploadSettings, type UploadState } from './sendInPieces.ts';

const content = new Uint8Array(randomBytes(3_000_001));
const sha256 = createHash('sha256').update(content).digest('hex');
const source = new Blob([content]);

class Refusal extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** A desktop that keeps what it gets; `plan` says what becomes of each call, and how much of a piece came in. */
class Desktop {
  bytes: Uint8Array<ArrayBuffer> | undefined;
  readonly log: string[] = [];
  ids = 0;
  plan: (call: string) => void | number = () => {};

  readonly calls: UploadCalls<string> = {
    create: async () => {
      this.#note('create');
      this.ids++;
      this.bytes = new Uint8Array();
      return this.#state();
    },
    get: async () => {
      this.#note('get');
      return this.#state();
    },
    write: async (upload, bytes) => {
      const taken = this.#note(`write ${upload.receivedBytes}`);
      if (this.bytes?.length !== upload.receivedBytes) throw new Refusal('range_not_satisfiable');
      this.bytes = new Uint8Array(Buffer.concat([this.bytes, bytes.subarray(0, taken)]));
      if (taken !== undefined) throw new Error('the network went away');
      return this.#state();
    },
    finish: async (_upload, sum) => {
      this.#note('finish');
      if (this.bytes?.length !== content.length) throw new Refusal('range_not_satisfiable');
      return sum ?? 'none';
    },
  };

  #note(call: string): number | undefined {
    this.log.push(call);
    return this.plan(call) ?? undefined;
  }

  #state(): UploadState {
    if (this.bytes === undefined) throw new Refusal('file_not_found');
    return { uploadId: `upl_${this.ids}`, path: '/x', receivedBytes: this.bytes.length };
  }
}

const send = (desktop: Desktop, settings: Partial<UploadSettings> = {}) =>
  sendInPieces(source, desktop.calls, {
    hash: createHash('sha256'),
    afterFailure: async (error, failures) => {
      if (failures >= 5 || (error instanceof Refusal && error.code !== 'range_not_satisfiable')) throw error;
    },
    ...settings,
  });

/** Each call fails once with this, the first time that it is made. */
const onceEach = (fail: () => void | number) => {
  const seen = new Set<string>();
  return (call: string) => {
    const kind = call.split(' ')[0]!;
    if (seen.has(kind)) return undefined;
    seen.add(kind);
    return fail();
  };
};

test('pieces grow while they are quick, and what the desktop has is told', async () => {
  const desktop = new Desktop();
  const told: number[] = [];
  expect(await send(desktop, { onUpload: ({ receivedBytes }) => told.push(receivedBytes) })).toBe(sha256);
  expect(desktop.log).toEqual(['create', 'write 0', 'write 1048576', 'finish']);
  expect(told).toEqual([0, 1_048_576, content.length]);
  expect(Buffer.from(desktop.bytes!).equals(content)).toBe(true);
});

test('a network that breaks in each call once, half a piece taken, is gone on from where the desktop is', async () => {
  const desktop = new Desktop();
  desktop.plan = onceEach(() => {
    if (desktop.log.at(-1)!.startsWith('write')) return 400_000;
    throw new Error('the network went away');
  });
  expect(await send(desktop)).toBe(sha256);
  expect(desktop.log.slice(0, 5)).toEqual(['create', 'create', 'write 0', 'get', 'get']);
  expect(desktop.log[5]).toBe('write 400000');
  expect(Buffer.from(desktop.bytes!).equals(content)).toBe(true);
});

test('a desktop that lost some goes on there; one that lost all is begun anew; the sum stays right', async () => {
  const desktop = new Desktop();
  const losses = [
    () => (desktop.bytes = desktop.bytes!.slice(0, 700_000)),
    () => (desktop.bytes = undefined),
    () => (desktop.bytes = desktop.bytes!.slice(0, 5)),
  ];
  desktop.plan = (call) => {
    if (/^(write [1-9]|finish)/.test(call)) losses.shift()?.();
  };
  expect(await send(desktop)).toBe(sha256);
  expect(losses).toEqual([]);
  expect(desktop.ids).toBe(2);
  expect(Buffer.from(desktop.bytes!).equals(content)).toBe(true);
});

test('another process goes on with it, and with its sum', async () => {
  const desktop = new Desktop();
  const stop = new AbortController();
  let upload: UploadState | undefined;
  const first = send(desktop, {
    signal: stop.signal,
    onUpload: (state) => {
      upload = state;
      if (state.receivedBytes > 0) stop.abort(new Error('paused'));
    },
  });
  await expect(first).rejects.toThrow('paused');
  expect(await send(desktop, { upload })).toBe(sha256);
  expect(desktop.log).toEqual(['create', 'write 0', 'get', 'write 1048576', 'write 2097152', 'finish']);
});

test('a finish whose answer was lost is said again, by this process or the next, and nothing is sent twice', async () => {
  const desktop = new Desktop();
  const finish = desktop.calls.finish.bind(desktop.calls);
  let receipt: string | undefined;
  desktop.calls.finish = async (upload, sum) => {
    receipt ??= await finish(upload, sum);
    if (desktop.bytes === undefined) return receipt;
    desktop.bytes = undefined;
    throw new Error('the network went away');
  };
  let last: UploadState | undefined;
  expect(await send(desktop, { onUpload: (upload) => (last = upload) })).toBe(sha256);
  expect(await send(desktop, { upload: last })).toBe(sha256);
  expect(desktop.log).toEqual(['create', 'write 0', 'write 1048576', 'finish']);
});

test('what cannot pass reaches the caller; a desktop that lies ends it, and one that takes and loses in turn', async () => {
  const full = new Desktop();
  full.plan = (call) => {
    if (call.startsWith('write')) throw new Refusal('disk_full');
  };
  await expect(send(full)).rejects.toThrow('disk_full');
  const large = new Desktop();
  large.plan = (call) => {
    if (call.startsWith('write')) large.bytes = new Uint8Array(content.length + 1);
  };
  await expect(send(large)).rejects.toThrow('more of this upload');
  const deaf = new Desktop();
  deaf.calls.write = async (upload) => upload;
  await expect(send(deaf)).rejects.toThrow('took nothing');
  const loser = new Desktop();
  loser.plan = (call) => {
    if (call !== 'create' && call !== 'write 0') loser.bytes = new Uint8Array();
  };
  await expect(send(loser)).rejects.toThrow('range_not_satisfiable');
  const forgetful = new Desktop();
  forgetful.plan = (call) => {
    if (call.startsWith('write')) forgetful.bytes = undefined;
    if (call.startsWith('write')) throw new Refusal('file_not_found');
  };
  await expect(send(forgetful)).rejects.toThrow('file_not_found');
  expect(forgetful.ids).toBeLessThan(10);
});

test('an empty file is begun and finished', async () => {
  const desktop = new Desktop();
  desktop.calls.finish = async (_upload, sum) => sum ?? 'none';
  const empty = await sendInPieces(new Blob([]), desktop.calls, { afterFailure: () => Promise.reject() });
  expect([empty, desktop.log]).toEqual(['none', ['create']]);
});

test('a file that becomes shorter is an error, not a file with less', async () => {
  const short = { size: content.length + 1, slice: (start: number, end: number) => source.slice(start, end) };
  const desktop = new Desktop();
  const sending = sendInPieces(short, desktop.calls, { afterFailure: (error) => Promise.reject(error) });
  await expect(sending).rejects.toThrow('became shorter');
  await expect(Array.fromAsync(piecesOf(short))).rejects.toThrow('became shorter');
  expect(Buffer.concat(await Array.fromAsync(piecesOf(source))).equals(content)).toBe(true);
});
