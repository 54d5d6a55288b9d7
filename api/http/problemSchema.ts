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

/** RFC 9457 with members of our own; more may come with one `code` or another, such as `allowedActions` or a fresh `frame`. */
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
    capability: t.Optional(t.String({ description: 'With `capability_missing`: the one to ask for.' })),
    desktopStatus: t.Optional(
      t.String({ description: 'With `wrong_state` and `not_ready`: the status of the desktop.' }),
    ),
    allowedActions: t.Optional(t.Array(t.String(), { description: 'With `wrong_state`: what is possible now.' })),
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
