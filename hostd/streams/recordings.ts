import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '@lebureau/kit/clock';
import { syncFolder } from '@lebureau/kit/syncFolder';
import { joinCasts, readCastHeader } from './castParts.ts';
import { type DeletedMark, markDeleted, marksOf, wasDeleted } from './deletedMarks.ts';
import { type GivenPiece, removeDraftOf, takePiece } from './givenPiece.ts';
import { type RecordingParts, TerminalRecording } from './terminalRecording.ts';

const filesMax = 16;
const keptMs = 7 * 86_400_000;
/**
 * `NAME.cast` is the one that this node writes, `NAME.SECONDS.cast` what was recorded where the desktop was before, which may
 * have been here.
 */
const fileName = /^([a-z0-9][a-z0-9-]{0,31})(?:\.(\d{1,12}))?\.cast$/;

/** A file of a desktop that is not here any more. */
export interface LeftRecording {
  assignmentId: string;
  terminalName: string;
  path: string;
  beganAt: number;
  sizeBytes: number;
  changedAtMs: number;
}

/**
 * Recordings of terminals, below `recordings/` of hostd's home: one file a terminal, of bounded size, at most so many a
 * desktop of its own and of others, kept for a week and at most as long as the desktop. Only hostd's user may read them; others ask the API. A
 * desktop that moved has its recordings sent after it, beside those that are taken there: who reads gets them as one.
 */
export class Recordings {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #sync: (folder: string) => void;

  /** @param sync puts the names in a folder on the disk */
  constructor(home: string, clock: Clock, sync = syncFolder) {
    this.#folder = join(home, 'recordings');
    this.#clock = clock;
    this.#sync = sync;
  }

  /** Goes on with what is there. @throws Error when the disk takes none */
  begin(assignmentId: string, name: string, parts: Omit<RecordingParts, 'clock'>): TerminalRecording {
    const folder = this.#openFolder(assignmentId);
    this.#makeRoom(folder, `${name}.cast`);
    return new TerminalRecording(join(folder, `${name}.cast`), { clock: this.#clock, ...parts });
  }

  /** All of what was recorded of it, on whichever node; undefined: nothing was. */
  read(assignmentId: string, name: string): Blob | ReadableStream<Uint8Array> | undefined {
    const paths = this.#filesOf(join(this.#folder, assignmentId)).filter((file) => file.terminalName === name);
    if (paths.length <= 1) return paths[0] && Bun.file(paths[0].path);
    const parts = paths.flatMap(({ path }) => {
      const beganAt = beganAtOf(path);
      return beganAt === undefined ? [] : [{ beganAt, read: () => Bun.file(path).text() }];
    });
    return streamOf(joinCasts(parts));
  }

  /** Also what another node has of it and has not sent yet; one that is written just now ends. @returns whether there was one */
  remove(assignmentId: string, name: string): boolean {
    const folder = this.#openFolder(assignmentId);
    const files = this.#filesOf(folder).filter((file) => file.terminalName === name);
    for (const { path } of files) unlinkSync(path);
    removeDraftOf(folder, name, () => true);
    markDeleted(folder, name, this.#clock.nowMs());
    return files.length > 0;
  }

  /** These desktops went: what was taken of them here is what was taken before, should they come back. */
  setAside(isLeft: (assignmentId: string) => boolean): void {
    for (const assignmentId of this.#assignments().filter(isLeft))
      for (const { name, terminalName, path } of this.#filesOf(join(this.#folder, assignmentId))) {
        const beganAt = isGiven(name) ? undefined : beganAtOf(path);
        if (beganAt !== undefined) renameSync(path, join(dirname(path), `${terminalName}.${beganAt}.cast`));
      }
  }

  /** The desktop is gone. */
  removeAll(assignmentId: string): void {
    rmSync(join(this.#folder, assignmentId), { recursive: true, force: true });
  }

  /** Takes a piece of what another node recorded. The same again does no harm. @throws Fault */
  take(piece: GivenPiece & { assignmentId: string }): void {
    const folder = this.#openFolder(piece.assignmentId);
    if (piece.deleted) return this.#takeMark(folder, piece);
    const target = `${piece.terminalName}.${piece.beganAt}.cast`;
    if (wasDeleted(folder, piece.terminalName, piece.beganAt)) return;
    if (!this.#has(folder, piece)) {
      // The clock of another node must not say that what it sends is the newest of all.
      const changedAtMs = Math.min(piece.changedAtMs, this.#clock.nowMs());
      takePiece(folder, { ...piece, changedAtMs }, () => {
        this.#makeRoom(folder, target);
        return target;
      });
    }
    if (piece.offset + piece.bytes.length < piece.totalBytes) return;
    // Its sender removes what was taken whole, so its name and those of the folders outlast a loss of power.
    for (const each of [folder, this.#folder, dirname(this.#folder)]) this.#sync(each);
  }

  /** It came back to where it began, and what was to be sent after it is still here. */
  #has(folder: string, { terminalName, beganAt, totalBytes }: GivenPiece): boolean {
    return this.#filesOf(folder).some(
      (file) => file.terminalName === terminalName && file.sizeBytes >= totalBytes && beganAtOf(file.path) === beganAt,
    );
  }

  /**
   * What is recorded here since the desktop came stays, whatever another node says of when something was deleted there: it
   * was before, and only its clock says otherwise.
   */
  #takeMark(folder: string, { terminalName, changedAtMs }: GivenPiece): void {
    const files = this.#filesOf(folder).filter((file) => file.terminalName === terminalName);
    const own = files.find(({ name }) => !isGiven(name));
    const ownBeganMs = ((own && beganAtOf(own.path)) ?? Infinity) * 1000;
    const atMs = Math.min(changedAtMs, this.#clock.nowMs(), ownBeganMs);
    const known = marksOf(folder).find((mark) => mark.terminalName === terminalName);
    if (known === undefined || known.atMs < atMs) markDeleted(folder, terminalName, atMs);
    for (const { path } of files.filter((file) => file !== own)) {
      const beganAt = beganAtOf(path);
      if (beganAt !== undefined && wasDeleted(folder, terminalName, beganAt)) unlinkSync(path);
    }
    removeDraftOf(folder, terminalName, (beganAt) => wasDeleted(folder, terminalName, beganAt));
    this.#sync(folder);
  }

  /** What was deleted of these desktops, which other nodes may still send. */
  leftMarks(isLeft: (assignmentId: string) => boolean): (DeletedMark & { assignmentId: string })[] {
    return this.#assignments()
      .filter(isLeft)
      .flatMap((assignmentId) => marksOf(join(this.#folder, assignmentId)).map((mark) => ({ assignmentId, ...mark })));
  }

  /** How many there are. */
  count(): number {
    return this.#assignments().reduce((sum, each) => sum + this.#filesOf(join(this.#folder, each)).length, 0);
  }

  /** Those of these desktops. */
  left(isLeft: (assignmentId: string) => boolean): LeftRecording[] {
    return this.#assignments()
      .filter(isLeft)
      .flatMap((assignmentId) =>
        this.#filesOf(join(this.#folder, assignmentId)).flatMap(({ terminalName, path, sizeBytes, changedMs }) => {
          const beganAt = beganAtOf(path);
          if (beganAt === undefined) return [];
          return [{ assignmentId, terminalName, path, beganAt, sizeBytes, changedAtMs: Math.floor(changedMs) }];
        }),
      );
  }

  /** Removes what is too old. */
  sweep(isKnown: (assignmentId: string) => boolean): void {
    const oldestMs = this.#clock.nowMs() - keptMs;
    for (const assignmentId of this.#assignments()) {
      const folder = join(this.#folder, assignmentId);
      // What is not whole counts as well.
      const paths = readdirSync(folder).map((name) => join(folder, name));
      const old = paths.filter((path) => statSync(path).mtimeMs < oldestMs);
      for (const path of old) unlinkSync(path);
      // One that moved to another node may come back; one that was deleted took its recordings along.
      if (!isKnown(assignmentId) && old.length === paths.length) this.removeAll(assignmentId);
    }
  }

  #openFolder(assignmentId: string): string {
    const folder = join(this.#folder, assignmentId);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  #assignments(): string[] {
    return existsSync(this.#folder) ? readdirSync(this.#folder) : [];
  }

  /** Among those of this node, or among those of others: what others send costs nothing that was recorded here. */
  #makeRoom(folder: string, wanted: string): void {
    const isSame = (name: string) => name !== wanted && isGiven(name) === isGiven(wanted);
    const others = this.#filesOf(folder).filter(({ name }) => isSame(name));
    for (const { path } of others.slice(0, Math.max(0, others.length - filesMax + 1))) unlinkSync(path);
  }

  /** The oldest first. */
  #filesOf(folder: string) {
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .flatMap((name) => {
        const [, terminalName] = fileName.exec(name) ?? [];
        if (terminalName === undefined) return [];
        const path = join(folder, name);
        const { size: sizeBytes, mtimeMs: changedMs } = statSync(path);
        return [{ name, terminalName, path, sizeBytes, changedMs }];
      })
      .toSorted((a, b) => a.changedMs - b.changedMs);
  }
}

function isGiven(name: string): boolean {
  return fileName.exec(name)?.[2] !== undefined;
}

function streamOf(texts: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const { done, value } = await texts.next();
        if (done === true) controller.close();
        else controller.enqueue(encoder.encode(value));
      },
    },
    { highWaterMark: 0 },
  );
}

function beganAtOf(path: string): number | undefined {
  return readCastHeader(path)?.timestamp;
}
