import { adoptInlineStyles } from '../streams/adoptInlineStyles.ts';
import { adoptStyles } from '../streams/adoptStyles.ts';
import { keyOnlyFetch } from './keyOnlyFetch.ts';

/** What the viewer's script leaves behind. */
declare const Scalar: { createApiReference(target: string, configuration: object): unknown };

const place = document.getElementById('reference')!;

try {
  const [content] = await Promise.all([loadDocument(), loadViewer(place.dataset['viewer']!)]);
  place.replaceChildren();
  Scalar.createApiReference('#reference', {
    content,
    servers: [{ url: location.origin }],
    customFetch: keyOnlyFetch,
    // Whatever would call its maker: fonts, telemetry, assistant, proxy, sharing.
    withDefaultFonts: false,
    telemetry: false,
    agent: { disabled: true },
    mcp: { disabled: true },
    proxyUrl: '',
    hideClientButton: true,
    showDeveloperTools: 'never',
    // A key that somebody types in is gone with the page.
    persistAuth: false,
    documentDownloadType: 'none',
    // Light or dark is what the system says, as on the pages around it.
    hideDarkModeToggle: true,
    theme: 'none',
  });
} catch {
  const sorry = document.createElement('p');
  sorry.setAttribute('role', 'alert');
  sorry.textContent = 'The reference cannot be loaded. Load this page again in a moment.';
  place.querySelector('main')?.append(sorry);
}

async function loadDocument(): Promise<unknown> {
  const answer = await fetch('/reference/openapi.json');
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

/** A script of its own, so that no other page carries it. It makes `<style>` elements, which our policy refuses. */
async function loadViewer(address: string): Promise<void> {
  adoptStyles();
  adoptInlineStyles();
  const script = document.createElement('script');
  script.src = address;
  await new Promise((resolve, reject) => {
    script.onload = resolve;
    script.onerror = reject;
    document.head.append(script);
  });
}
