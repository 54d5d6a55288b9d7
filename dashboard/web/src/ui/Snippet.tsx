import { CopyButton } from './CopyButton.tsx';

/** Code to be copied. */
export function Snippet({ code, what }: { code: string; what: string }) {
  return (
    <div class="snippet">
      <pre tabIndex={0}>
        <code>{code}</code>
      </pre>
      <CopyButton text={code} what={what} />
    </div>
  );
}
