import { existsSync, mkdirSync, readdirSync, rmSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '@lebureau/kit/clock';
import { TerminalRecording } from './terminalRecording.ts';

const filesMax = 16;
const keptMs = 7 * 86_400_000;

/**
 * Recordings of terminals, below `recordings/` of hostd's home: one file a terminal, of bounded size, at most so many a
 * desktop, kept for a week and at most as long as the desktop. Only hostd's user may read them; others ask the API.
 */
export class Recordings {
  readonly #folder: string;
  readonly #clock: Clock;

  constructor(home: string, clock: Clock) {
    this.#folder = join(home, 'recordings');
    this.#clock = clock;
  }

  /** Goes on with what is there. */
  begin(assignmentId: string, name: string, size: { columns: number; rows: number }): TerminalRecording {
    const folder = join(this.#folder, assignmentId);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#makeRoom(folder, `${name}.cast`);
    return new TerminalRecording(join(folder, `${name}.cast`), { clock: this.#clock, ...size });
  }

  pathOf(assignmentId: string, name: string): string | undefined {
    const path = join(this.#folder, assignmentId, `${name}.cast`);
    return existsSync(path) ? path : undefined;
  }

  /** @returns whether there was one */
  remove(assignmentId: string, name: string): boolean {
    const path = this.pathOf(assignmentId, name);
    if (path !== undefined) unlinkSync(path);
    return path !== undefined;
  }

  /** The desktop is gone. */
  removeAll(assignmentId: string): void {
    rmSync(join(this.#folder, assignmentId), { recursive: true, force: true });
  }

  /** Removes what is too old. */
  sweep(isKnown: (assignmentId: string) => boolean): void {
    if (!existsSync(this.#folder)) return;
    const oldestMs = this.#clock.nowMs() - keptMs;
    for (const assignmentId of readdirSync(this.#folder)) {
      const files = this.#filesOf(join(this.#folder, assignmentId));
      for (const file of files) if (file.changedMs < oldestMs) unlinkSync(file.path);
      // One that moved to another node may come back; one that was deleted took its recordings along.
      if (!isKnown(assignmentId) && files.every(({ changedMs }) => changedMs < oldestMs)) this.removeAll(assignmentId);
    }
  }

  #makeRoom(folder: string, wanted: string): void {
    const others = this.#filesOf(folder).filter(({ name }) => name !== wanted);
    for (const { path } of others.slice(0, Math.max(0, others.length - filesMax + 1))) unlinkSync(path);
  }

  /** The oldest first. */
  #filesOf(folder: string): { name: string; path: string; changedMs: number }[] {
    return readdirSync(folder)
      .map((name) => ({ name, path: join(folder, name), changedMs: statSync(join(folder, name)).mtimeMs }))
      .toSorted((a, b) => a.changedMs - b.changedMs);
  }
}
