import type { FileChannels } from './channels.ts';
import { sweep } from './leftovers.ts';
import { readFolder } from './list.ts';

/** Looks once through each folder that is written to. */
export function sweepLater(channels: FileChannels, folder: string): void {
  if (!channels.noteSwept(folder)) return;
  void channels
    .session('quick')
    .then((session) => readFolder(session, folder))
    .then(
      (items) => sweep(channels, folder, items),
      () => {},
    );
}
