import { t } from '../http/schema.ts';

const common = {
  cwd: t.Optional(t.String({ maxLength: 4096, description: 'Default: the home folder of the user.' })),
  env: t.Optional(
    t.Record(t.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }), t.String({ maxLength: 65_536 }), {
      description: 'Added to the environment.',
    }),
  ),
  user: t.Optional(t.Union([t.Literal('agent'), t.Literal('root')], { description: 'Default agent.' })),
};
const bounded = {
  timeoutSeconds: t.Optional(
    t.Number({ minimum: 0.1, maximum: 600, description: 'Default 30. The whole process group is killed then.' }),
  ),
  stdin: t.Optional(t.String({ maxLength: 1_048_576 })),
  outputMaxBytes: t.Optional(
    t.Integer({ minimum: 0, maximum: 8_388_608, description: 'For each of stdout and stderr. Default 1 MiB.' }),
  ),
};

export const ExecBody = t.Object(
  {
    command: t.String({ minLength: 1, maxLength: 131_072, description: 'One command line for /bin/sh.' }),
    ...common,
    ...bounded,
  },
  { additionalProperties: false },
);
export const BashBody = t.Object(
  { script: t.String({ minLength: 1, maxLength: 1_048_576 }), ...common, ...bounded },
  { additionalProperties: false },
);
export const PythonBody = t.Object(
  { code: t.String({ minLength: 1, maxLength: 1_048_576, description: 'Python 3 source.' }), ...common, ...bounded },
  { additionalProperties: false },
);

export const ExecResult = t.Object({
  stdout: t.String({ description: 'UTF-8; bytes that are not are replaced by U+FFFD.' }),
  stderr: t.String(),
  exitCode: t.Integer({ description: '128 + signal number when a signal ended it.' }),
  timedOut: t.Boolean(),
  truncated: t.Boolean({ description: 'Output went past `outputMaxBytes`; the rest was thrown away.' }),
  durationMs: t.Number(),
});

export const ProcessBody = t.Object(
  {
    command: t.String({ minLength: 1, maxLength: 131_072 }),
    ...common,
    stdin: t.Optional(t.String({ maxLength: 1_048_576 })),
  },
  { additionalProperties: false },
);

export const ProcessId = t.String({ pattern: '^prc_[0-7][0-9a-hjkmnp-tv-z]{25}$' });
export const Process = t.Object({
  processId: t.String(),
  command: t.String(),
  user: t.String(),
  pid: t.Nullable(t.Integer()),
  status: t.Union([t.Literal('running'), t.Literal('exited'), t.Literal('lost')], {
    description: '`lost`: the desktop was restarted under it.',
  }),
  exitCode: t.Nullable(t.Integer()),
  startedAt: t.String({ format: 'date-time' }),
  endedAt: t.Nullable(t.String({ format: 'date-time' })),
  stdoutBytes: t.Integer(),
  stderrBytes: t.Integer(),
  truncated: t.Boolean({ description: 'Output went past 64 MiB of a stream; the rest was thrown away.' }),
});
export const ProcessList = t.Object({ data: t.Array(Process) });
export const ProcessOutput = t.Object({
  data: t.String({ description: 'UTF-8, cut at a character boundary.' }),
  offset: t.Integer(),
  nextOffset: t.Integer({ description: 'Ask with this for what comes after.' }),
  ended: t.Boolean({ description: 'True when the process has ended and nothing comes after.' }),
});
export const SignalBody = t.Object(
  {
    signal: t.Union(
      ['TERM', 'KILL', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2', 'STOP', 'CONT'].map((name) => t.Literal(name)),
    ),
  },
  { additionalProperties: false },
);
