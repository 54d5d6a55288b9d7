import { useEffect, useState } from 'preact/hooks';
import { say } from '../language.ts';
import { Dialog } from '../ui/Dialog.tsx';
import { failed } from '../ui/Toasts.tsx';
import type { FileEntry, FilesClient } from './filesClient.ts';
import { saySize } from './paths.ts';

const textMax = 256 * 1024;
const pictureMax = 20 * 1024 * 1024;
const pictures: Readonly<Record<string, string>> = {
  gif: 'image/gif',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
};

/** Text and pictures. Anything else, SVG and HTML too, is shown as text: a guest's page runs nothing here. */
export function Preview({ entry, files, onClose }: { entry: FileEntry; files: FilesClient; onClose: () => void }) {
  const type = pictures[entry.name.slice(entry.name.lastIndexOf('.') + 1).toLowerCase()];
  const isPicture = type !== undefined && entry.sizeBytes <= pictureMax;
  const [text, setText] = useState<string>();
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    let made: string | undefined;
    const load = async () => {
      const blob = await files.read(entry.path, isPicture ? pictureMax : textMax);
      if (!isPicture) return setText(textOf(new Uint8Array(await blob.arrayBuffer())));
      made = URL.createObjectURL(new Blob([blob], { type }));
      setUrl(made);
    };
    load().catch(failed);
    return () => {
      if (made !== undefined) URL.revokeObjectURL(made);
    };
  }, [entry.path]);
  return (
    <Dialog title={entry.name} onClose={onClose}>
      <p class="soft">{saySize(entry.sizeBytes)}</p>
      {url !== undefined && <img class="preview" src={url} alt={entry.name} />}
      {text !== undefined && (
        <pre class="preview" tabIndex={0}>
          {text}
        </pre>
      )}
      {text !== undefined && entry.sizeBytes > textMax && <p class="soft">{say('files.cut')}</p>}
      <footer class="row end">
        <a class="button" href={files.contentUrl(entry.path)} download={entry.name}>
          {say('files.download')}
        </a>
      </footer>
    </Dialog>
  );
}

function textOf(bytes: Uint8Array): string {
  if (bytes.subarray(0, 4096).includes(0)) return say('files.binary');
  return new TextDecoder().decode(bytes);
}
