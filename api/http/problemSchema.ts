import { Screenshot } from '../guest/actionSchema.ts';
import { ControlHolder } from '../guest/controlSchema.ts';
import { type ProblemCode, problems } from './problems.ts';
import { t } from './schema.ts';

export const ErrorCode = t.Word(Object.keys(problems) as ProblemCode[], {
  description: 'Closed list. A client takes its decisions by this.',
});

export const FieldError = t.Object({
  pointer: t.String({ description: 'JSON pointer into the body; `/query/…` and `/path/…` for parameters.' }),
  code: t.String(),
  message: t.String(),
});

const only = (codes: string, what: string) => ({ description: `With ${codes}: ${what}` });

/** RFC 9457 with members of our own, some of which come with one code or another. */
export const Problem = t.Object(
  {
    type: t.String({ description: 'A URI reference that names the kind of problem.' }),
    title: t.String(),
    status: t.Integer(),
    code: ErrorCode,
    detail: t.String({ description: 'What happened, for people and models.' }),
    hint: t.String({ description: 'What to do next.' }),
    requestId: t.String(),
    retryable: t.Boolean({ description: 'The same request may succeed later.' }),
    errors: t.Optional(t.Array(FieldError)),
    capability: t.Optional(t.String(only('`capability_missing`', 'the one to ask for.'))),
    desktopStatus: t.Optional(
      t.String(only('`wrong_state`, `not_ready` and `node_unreachable`', 'the status of the desktop.')),
    ),
    allowedActions: t.Optional(t.Array(t.String(), only('`desktopStatus`', 'what is possible now.'))),
    quota: t.Optional(t.String(only('`quota_exceeded`', 'the figure that would be too large.'))),
    limit: t.Optional(t.Integer(only('`quota_exceeded`', 'how large it may be.'))),
    maxBytes: t.Optional(t.Integer(only('`payload_too_large`', 'how long the body may be.'))),
    sizeBytes: t.Optional(t.Integer(only('`range_not_satisfiable`', 'how long the file is.'))),
    actionIndex: t.Optional(t.Integer(only('a refused batch', 'the action that was refused, from 0.'))),
    key: t.Optional(t.String(only('`unknown_key`', 'the name that is none.'))),
    nearMatches: t.Optional(t.Array(t.String(), only('`unknown_key`', 'names that are like it.'))),
    x: t.Optional(t.Number(only('`out_of_bounds`', 'what was asked for.'))),
    y: t.Optional(t.Number(only('`out_of_bounds`', 'what was asked for.'))),
    width: t.Optional(t.Number(only('`out_of_bounds`', 'of the space in which it was asked.'))),
    height: t.Optional(t.Number(only('`out_of_bounds`', 'of the space in which it was asked.'))),
    screenWidth: t.Optional(t.Integer(only('`out_of_bounds`', 'of the screen, pixels.'))),
    screenHeight: t.Optional(t.Integer(only('`out_of_bounds`', 'of the screen, pixels.'))),
    screenshot: t.Optional(Screenshot),
    holder: t.Optional(
      t.Object(ControlHolder.properties, only('`human_control` and `control_held`', 'who has control.')),
    ),
    expiresAt: t.Optional(
      t.Nullable(t.String({ format: 'date-time' }), only('`human_control` and `control_held`', 'when it lapses.')),
    ),
  },
  {
    examples: [
      {
        type: '/docs/errors#not_found',
        title: problems.not_found.title,
        status: 404,
        code: 'not_found',
        detail: 'There is no such desktop.',
        hint: problems.not_found.hint,
        requestId: 'req_01k9x3v6m8e9t2q4r6s8v0w2y4',
        retryable: false,
      },
    ],
  },
);

/** A node says a hint where it has a better one than the table; the API fills in the others. */
export const NodeProblem = t.Object({
  ...Problem.properties,
  hint: t.Optional(t.String({ description: 'What to do next, where that is not what the code alone says.' })),
});
