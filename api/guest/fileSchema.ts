import { idPattern } from '@lebureau/kit/id';
import { t } from '../http/schema.ts';

export const Path = t.String({
  minLength: 1,
  maxLength: 4096,
  description: 'Absolute, or relative to the home folder of `agent`. `~/` is the home folder.',
});

export const FileEntry = t.Object({
  name: t.String(),
  path: t.String({ description: 'Absolute.' }),
  type: t.Union([t.Literal('file'), t.Literal('directory'), t.Literal('symlink'), t.Literal('other')]),
  sizeBytes: t.Integer(),
  mode: t.String({ description: 'Octal, e.g. "0644".' }),
  uid: t.Integer(),
  gid: t.Integer(),
  modifiedAt: t.String({ format: 'date-time' }),
  linkTarget: t.Nullable(t.String()),
  nameBase64: t.Optional(
    t.String({
      description:
        'Only where the name is not UTF-8: its bytes. `path` then cannot be used to reach it; the shell can.',
    }),
  ),
});
export const FileList = t.Object({
  data: t.Array(FileEntry),
  nextCursor: t.Nullable(t.String()),
});
export const DirectoryBody = t.Object(
  {
    path: Path,
    parents: t.Optional(t.Boolean({ description: 'Make missing parents, and accept that it exists. Default true.' })),
    mode: t.Optional(t.String({ pattern: '^0?[0-7]{3}$' })),
  },
  { additionalProperties: false },
);
export const MoveBody = t.Object(
  {
    from: Path,
    to: Path,
    overwrite: t.Optional(t.Boolean({ description: 'Replace a file that is in the way. Default false.' })),
  },
  { additionalProperties: false },
);
const mode = t.Optional(
  t.String({ pattern: '^0?[0-7]{3}$', description: 'Default 0644, or that of the file replaced.' }),
);
const overwrite = t.Optional(t.Boolean({ description: 'Default true.' }));
export const UploadId = t.String({ pattern: idPattern('upl') });
export const UploadBody = t.Object(
  {
    path: Path,
    sizeBytes: t.Optional(
      t.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'Of the whole; when the disk has less room it is refused at once.',
      }),
    ),
    mode,
    parents: t.Optional(t.Boolean({ description: 'Make missing folders. Default true.' })),
    overwrite,
  },
  { additionalProperties: false },
);
export const Upload = t.Object({
  uploadId: UploadId,
  path: t.String({ description: 'Where the file will be: absolute, behind symlinks.' }),
  receivedBytes: t.Integer({ description: 'How much the guest has; go on there.' }),
  expiresAt: t.String({
    format: 'date-time',
    description: 'Unfinished it is removed after that; a write puts it off.',
  }),
});
export const FinishUploadBody = t.Object(
  {
    path: Path,
    sizeBytes: t.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'Of the whole.' }),
    sha256: t.Optional(
      t.String({
        pattern: '^[0-9a-f]{64}$',
        description: 'Of the whole, hexadecimal. Another one is refused, and the upload is gone.',
      }),
    ),
    mode,
    overwrite,
  },
  { additionalProperties: false },
);
export const WriteReceipt = t.Object({
  entry: FileEntry,
  sha256: t.String({ description: 'Hexadecimal, of the bytes that were written.' }),
});
