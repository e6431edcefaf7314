// What opens over the page: a popover beside its button, a menu of actions, a dialog in the middle. All are drawn at the end of the body, so that no
// pane cuts them; Escape and a click outside close them, and the focus goes back to where it came from. On a phone they are sheets from below.
import { type ComponentChildren, render } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { keyCaps } from '../keys';
import { Icon } from './icon';
import type { Anchor, MenuItem } from './opener';

const FOCUSABLE = 'a[href], button:not(:disabled), input:not(:disabled), select, textarea, [tabindex="0"]';
const MARGIN = 8;

function Portal({ children }: { children: ComponentChildren }) {
  const host = useRef<HTMLElement | null>(null);
  if (host.current === null) {
    host.current = document.createElement('div');
    document.body.append(host.current);
  }
  useLayoutEffect(() => render(<>{children}</>, host.current!));
  useLayoutEffect(() => () => {
    render(null, host.current!);
    host.current!.remove();
  }, []);
  return null;
}

/** Where a box of a size goes beside its anchor, within the window. */
export function placeBeside(anchor: DOMRect, box: { width: number; height: number }, window: { width: number; height: number }, isEnd: boolean) {
  const wanted = isEnd ? anchor.right - box.width : anchor.left;
  const left = Math.max(MARGIN, Math.min(wanted, window.width - box.width - MARGIN));
  const below = anchor.bottom + 4;
  const fitsBelow = below + box.height + MARGIN <= window.height;
  const above = anchor.top - 4 - box.height;
  const isAbove = !fitsBelow && anchor.top > window.height - anchor.bottom;
  return { left, top: isAbove ? Math.max(MARGIN, above) : below, room: isAbove ? anchor.top - 4 - MARGIN : window.height - below - MARGIN };
}

function rectOf(anchor: Anchor): DOMRect {
  return anchor instanceof Element ? anchor.getBoundingClientRect() : new DOMRect(anchor.x, anchor.y, 0, 0);
}

/** Closes on Escape, on a click elsewhere and when the focus leaves; gives the focus back. */
function useClosing(box: { current: HTMLElement | null }, anchor: Anchor | null, onClose: () => void, isTrap: boolean): void {
  const close = useRef(onClose);
  close.current = onClose;
  // Before the next key comes: what is typed at once belongs here.
  useLayoutEffect(() => {
    const before = document.activeElement;
    const element = box.current!;
    if (!element.contains(document.activeElement)) {
      // On a touch screen a focused box would open the keyboard over what was just opened.
      const isTouch = matchMedia('(pointer: coarse)').matches;
      (isTouch ? element : element.querySelector<HTMLElement>('[autofocus], [data-autofocus]') ?? element.querySelector<HTMLElement>(FOCUSABLE) ?? element).focus();
    }
    const onKey = (event: KeyboardEvent) => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        event.preventDefault();
        close.current();
      } else if (event.key === 'Tab' && isTrap) {
        const all = [...element.querySelectorAll<HTMLElement>(FOCUSABLE)].filter((item) => item.offsetParent !== null);
        const edge = event.shiftKey ? all[0] : all[all.length - 1];
        if (document.activeElement === edge || !element.contains(document.activeElement)) {
          event.preventDefault();
          (event.shiftKey ? all[all.length - 1] : all[0])?.focus();
        }
      }
    };
    const isElsewhere = (target: EventTarget | null) => target instanceof Node && !element.contains(target)
      && !(anchor instanceof Element && anchor.contains(target))
      && !(target instanceof Element && target.closest('.popover, .dialog') !== null);
    const onPointer = (event: Event) => {
      if (isElsewhere(event.target)) close.current();
    };
    element.addEventListener('keydown', onKey);
    document.addEventListener('pointerdown', onPointer, true);
    return () => {
      element.removeEventListener('keydown', onKey);
      document.removeEventListener('pointerdown', onPointer, true);
      // Only if nothing else has taken the focus meanwhile.
      const now = document.activeElement;
      if ((now === null || now === document.body || element.contains(now)) && before instanceof HTMLElement) before.focus({ preventScroll: true });
    };
  }, []);
}

interface PopoverProps {
  readonly anchor: Anchor;
  readonly label: string;
  readonly onClose: () => void;
  /** Which edges meet: the beginnings (default) or the ends. */
  readonly align?: 'start' | 'end';
  readonly class?: string;
  readonly role?: 'dialog' | 'none';
  readonly children: ComponentChildren;
}

/** A box beside its anchor. What it first focuses: `data-autofocus`, or its first control. */
export function Popover(props: PopoverProps) {
  return <Portal><PopoverBox {...props} /></Portal>;
}

function PopoverBox({ anchor, label, onClose, align = 'start', class: extra = '', role = 'dialog', children }: PopoverProps) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const place = () => {
      const element = box.current!;
      element.style.maxHeight = '';
      const size = { width: element.offsetWidth, height: element.scrollHeight };
      const at = placeBeside(rectOf(anchor), size, { width: innerWidth, height: innerHeight }, align === 'end');
      element.style.left = `${at.left}px`;
      element.style.top = `${at.top}px`;
      element.style.maxHeight = `${at.room}px`;
    };
    place();
    addEventListener('resize', place);
    return () => removeEventListener('resize', place);
  });
  useClosing(box, anchor, onClose, true);
  return <>
    <div class="veil veil-phone" onClick={onClose} />
    <div ref={box} class={`popover ${extra}`} role={role} aria-label={role === 'dialog' ? label : undefined} tabIndex={-1} data-keys="own">{children}</div>
  </>;
}

interface MenuProps {
  readonly anchor: Anchor;
  readonly label: string;
  readonly items: readonly MenuItem[];
  readonly onClose: () => void;
  readonly align?: 'start' | 'end';
}

/** A list of actions: arrow keys, Home and End, first letters. */
export function Menu({ anchor, label, items, onClose, align }: MenuProps) {
  const onKey = (event: KeyboardEvent) => {
    const all = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('.menu-item:not([aria-disabled=true])')];
    const at = all.indexOf(document.activeElement as HTMLElement);
    const last = all.length - 1;
    const to = event.key === 'ArrowDown' ? (at >= last ? 0 : at + 1) : event.key === 'ArrowUp' ? (at <= 0 ? last : at - 1)
      : event.key === 'Home' ? 0 : event.key === 'End' ? last : undefined;
    if (to !== undefined) {
      event.preventDefault();
      all[to]?.focus();
    } else if (event.key === 'Tab') {
      event.preventDefault();
      onClose();
    } else if (event.key.length === 1 && event.key !== ' ' && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const letter = event.key.toLowerCase();
      const next = [...all.slice(at + 1), ...all.slice(0, at + 1)].find((item) => item.textContent.trim().toLowerCase().startsWith(letter));
      next?.focus();
    }
  };
  return <Popover anchor={anchor} label={label} onClose={onClose} {...(align === undefined ? {} : { align })} class="menu" role="none">
    <div role="menu" aria-label={label} onKeyDown={onKey}>
      {items.map((item, index) => <MenuRow item={item} onClose={onClose} key={index} />)}
    </div>
  </Popover>;
}

function MenuRow({ item, onClose }: { item: MenuItem; onClose: () => void }) {
  const run = (event: Event) => {
    if (item.isDisabled === true) {
      event.preventDefault();
      return;
    }
    onClose();
    item.run?.();
  };
  const inside = <>
    <span class="menu-sign">{item.isChecked === true ? <Icon name="check" /> : item.icon !== undefined && <Icon name={item.icon} />}</span>
    <span class="grow clip">{item.label}</span>
    {item.hint !== undefined && <span class="muted">{item.hint}</span>}
    {item.keys !== undefined && keyCaps(item.keys).map((cap) => <kbd key={cap}>{cap}</kbd>)}
  </>;
  const shared = {
    class: `menu-item${item.isApart === true ? ' apart' : ''}`, tabIndex: 0, onClick: run, 'aria-disabled': item.isDisabled === true ? true : undefined,
    ...(item.isChecked === undefined ? { role: 'menuitem' as const } : { role: 'menuitemradio' as const, 'aria-checked': item.isChecked }),
  };
  return item.href === undefined ? <button type="button" {...shared}>{inside}</button>
    : <a href={item.href} download={item.download} {...shared}>{inside}</a>;
}

interface DialogProps {
  readonly label: string;
  readonly onClose: () => void;
  readonly class?: string;
  readonly children: ComponentChildren;
}

/** A box in the middle that must be closed before anything else; it draws its own heading and close button. */
export function Dialog(props: DialogProps) {
  return <Portal><DialogBox {...props} /></Portal>;
}

function DialogBox({ label, onClose, class: extra = '', children }: DialogProps) {
  const box = useRef<HTMLDivElement>(null);
  useClosing(box, null, onClose, true);
  return <>
    <div class="veil" onClick={onClose} />
    <div ref={box} class={`dialog ${extra}`} role="dialog" aria-modal="true" aria-label={label} tabIndex={-1} data-keys="own">
      <div class="dialog-head">
        <h2 class="grow">{label}</h2>
        <button type="button" class="button bare" aria-label="Close" onClick={onClose}><Icon name="close" /></button>
      </div>
      <div class="dialog-body">{children}</div>
    </div>
  </>;
}
