const saidForMs = 1500;

/** A button on each block of code. Without a script, or without the right to the clipboard, there is none. */
export function addCopyButtons(blocks: Iterable<HTMLElement>): void {
  if (!isSecureContext) return;
  for (const block of blocks) {
    const frame = document.createElement('div');
    frame.className = 'code';
    block.replaceWith(frame);
    frame.append(block, copyButton(block));
  }
}

function copyButton(block: HTMLElement): HTMLButtonElement {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'copy';
  const say = (word: string) => {
    button.textContent = word;
    button.setAttribute('aria-label', `${word} the code above`);
  };
  say('Copy');
  button.addEventListener('click', () => {
    void navigator.clipboard.writeText(block.textContent.trimEnd()).then(
      () => say('Copied'),
      () => say('Not copied'),
    );
    setTimeout(() => say('Copy'), saidForMs);
  });
  return button;
}
