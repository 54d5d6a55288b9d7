import { useStore } from '@nanostores/preact';
import { say } from '../language.ts';
import { session } from '../session.ts';
import { Snippet } from '../ui/Snippet.tsx';
import { mcpClients, withKey } from './mcpClients.ts';

export function McpPanel() {
  const url = `${useStore(session)?.publicUrl ?? location.origin}/mcp`;
  return (
    <>
      <p class="soft page-head">{say('mcp.about')}</p>
      <div class="panel">
        <h2>{say('mcp.address')}</h2>
        <Snippet code={url} what={say('mcp.address')} />
      </div>
      {mcpClients.map(({ name, file, code }) => (
        <section key={name} class="panel">
          <div>
            <h2>{name}</h2>
            {file !== undefined && (
              <p class="soft">
                <code>{file}</code>
              </p>
            )}
          </div>
          <Snippet code={code(url)} what={name} />
        </section>
      ))}
      <section class="panel">
        <div>
          <h2>{say('mcp.withKey')}</h2>
          <p class="soft">
            <a href="/app/settings/keys">{say('mcp.makeKey')}</a>
          </p>
        </div>
        <Snippet code={withKey(url)} what={say('mcp.withKey')} />
      </section>
    </>
  );
}
