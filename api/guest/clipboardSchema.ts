import { t } from '../http/schema.ts';
import { Window } from './actionSchema.ts';

export const Clipboard = t.Object({ text: t.String({ maxLength: 1_048_576 }) }, { additionalProperties: false });
export const WindowList = t.Object({ data: t.Array(Window) });
