/** Short: who opens a page waits. What a network that changes costs is over by then. */
const pausesMs = [300, 1500];

/** Code that comes when it is needed, asked for again when it did not come. @throws what the last try threw */
export async function loadPart<Part>(load: () => Promise<Part>): Promise<Part> {
  for (const pauseMs of pausesMs) {
    try {
      return await loadWithStyles(load);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random())));
    }
  }
  return loadWithStyles(load);
}

/** Style sheets that did not come. The build's own loader asks for each once, and takes one that failed for one that is there. */
const missing = new Set<HTMLLinkElement>();

/** Before the first part is loaded. */
export function noteMissingStyles(): void {
  document.addEventListener(
    'error',
    ({ target }) => {
      if (target instanceof HTMLLinkElement && target.rel === 'stylesheet') missing.add(target);
    },
    { capture: true },
  );
}

async function loadWithStyles<Part>(load: () => Promise<Part>): Promise<Part> {
  const sheets = [...missing];
  missing.clear();
  await Promise.all(sheets.map(askAgain));
  return load();
}

function askAgain(sheet: HTMLLinkElement): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const again = sheet.cloneNode() as HTMLLinkElement;
    again.addEventListener('load', resolve);
    again.addEventListener('error', () => reject(new Error(`${again.href} did not come`)));
    sheet.replaceWith(again);
  });
}
