import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { Icon, type IconName } from './Icon.tsx';

/** A button that opens a list of actions; arrow keys move in it, Escape closes it. */
export function Menu({ label, icon, children }: { label: string; icon: IconName; children: ComponentChildren }) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const id = useId();
  useEffect(() => {
    if (!open) return undefined;
    putBelow(root.current!);
    root.current?.querySelector<HTMLElement>('[role=menuitem]')?.focus({ preventScroll: true });
    const close = () => setOpen(false);
    window.addEventListener('scroll', close, { capture: true, once: true });
    const away = (event: PointerEvent) => !root.current?.contains(event.target as Node) && setOpen(false);
    document.addEventListener('pointerdown', away);
    return () => {
      document.removeEventListener('pointerdown', away);
      window.removeEventListener('scroll', close, { capture: true });
    };
  }, [open]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && open) {
      setOpen(false);
      root.current?.querySelector('button')?.focus();
      event.stopPropagation();
    }
    if (open && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      event.preventDefault();
      move(root.current!, event.key === 'ArrowDown' ? 1 : -1);
    }
  };
  return (
    <div class="menu" ref={root} onKeyDown={onKeyDown}>
      <button
        type="button"
        class="icon-button"
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
      >
        <Icon name={icon} />
        <span class="visually-hidden">{label}</span>
      </button>
      {open && (
        <div class="menu-list" id={id} role="menu" aria-label={label} onClick={() => setOpen(false)}>
          {children}
        </div>
      )}
    </div>
  );
}

export function MenuItem(of: { onChoose: () => void; danger?: boolean; children: ComponentChildren }) {
  return (
    <button type="button" role="menuitem" class={of.danger ? 'danger' : ''} onClick={of.onChoose}>
      {of.children}
    </button>
  );
}

function move(root: HTMLElement, by: number): void {
  const items = [...root.querySelectorAll<HTMLElement>('[role=menuitem]')];
  const at = items.indexOf(document.activeElement as HTMLElement);
  items[(at + by + items.length) % items.length]?.focus();
}

const gapPx = 4;

/** Below its button, or above where there is no room, whatever box it stands in. */
function putBelow(root: HTMLElement): void {
  const button = root.querySelector('button')!.getBoundingClientRect();
  const list = root.querySelector<HTMLElement>('[role=menu]')!;
  const { height } = list.getBoundingClientRect();
  const hasRoom = button.bottom + gapPx + height < innerHeight;
  list.style.top = `${hasRoom ? button.bottom + gapPx : Math.max(gapPx, button.top - gapPx - height)}px`;
  list.style.right = `${Math.max(gapPx, document.documentElement.clientWidth - button.right)}px`;
}
