import { t } from '../http/schema.ts';

export const TerminalName = t.String({ pattern: '^[a-z0-9][a-z0-9-]{0,31}$' });

export const Terminal = t.Object({
  name: TerminalName,
  createdAt: t.String({ format: 'date-time', description: 'By the clock of the desktop.' }),
  attached: t.Boolean({ description: 'A stream shows it now.' }),
});

export const TerminalList = t.Object({ data: t.Array(Terminal) });
