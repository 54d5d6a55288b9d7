import { index } from './createTable.ts';
import type { Migration } from './migration.ts';

/** The events of one desktop are read backwards. */
export const activity: Migration = {
  name: '0013-activity',
  async up(db) {
    await index(db, 'eventsOfDesktop', { table: 'events', columns: ['desktopId', 'position'] });
  },
};
