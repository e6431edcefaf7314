// Buttons that open a menu or a popover. What they open is drawn by parts that are loaded later.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { Icon, type IconName } from './icon';
import { Later, type Parts } from './later';

/** An element, or a place on the screen. */
export type Anchor = Element | { x: number; y: number };

export interface MenuItem {
  readonly label: string;
  readonly run?: () => void;
  readonly href?: string;
  /** The name of the file, for links that download. */
  readonly download?: string;
  readonly icon?: IconName;
  /** The key that does the same. */
  readonly keys?: string;
  /** A few muted words at the end. */
  readonly hint?: string;
  /** Makes it one of several to choose, and says whether it is chosen. */
  readonly isChecked?: boolean;
  readonly isDisabled?: boolean;
  /** A rule stands above it. */
  readonly isApart?: boolean;
}

interface OpenerProps {
  /** The name, shown unless there is `face`. */
  readonly label: string;
  /** What the button shows instead of its label. */
  readonly face?: ComponentChildren;
  readonly class?: string;
  readonly align?: 'start' | 'end';
  readonly title?: string;
  readonly hasArrow?: boolean;
}

/** Where what is opened stands, and what closes it. */
interface Placed {
  readonly anchor: Element;
  readonly label: string;
  readonly align: 'start' | 'end';
  readonly onClose: () => void;
}

function Opener({ label, face, class: extra = '', align = 'start', title, hasArrow = false, kind, children }: OpenerProps & {
  kind: 'menu' | 'dialog';
  children: (parts: Parts, placed: Placed) => ComponentChildren;
}) {
  const [anchor, setAnchor] = useState<Element | null>(null);
  return <>
    <button type="button" class={`button ${extra}`} aria-haspopup={kind} aria-expanded={anchor !== null} aria-label={face === undefined ? undefined : label}
      title={title} onClick={(event) => setAnchor(anchor === null ? event.currentTarget : null)}>
      {face ?? label}{hasArrow && <Icon name="down" class="arrow" />}
    </button>
    {anchor !== null && <Later>{(parts) => children(parts, { anchor, label, align, onClose: () => setAnchor(null) })}</Later>}
  </>;
}

/** A button that opens a menu. */
export function MenuButton({ items, ...opener }: OpenerProps & { items: (parts: Parts) => readonly MenuItem[] }) {
  return <Opener {...opener} kind="menu">{(parts, placed) => <parts.Menu {...placed} items={items(parts)} />}</Opener>;
}

/** A button that opens a popover; `content` gets what closes it. */
export function PopoverButton({ content, boxClass = '', ...opener }: OpenerProps & {
  content: (parts: Parts, close: () => void) => ComponentChildren;
  boxClass?: string;
}) {
  return <Opener {...opener} kind="dialog">
    {(parts, placed) => <parts.Popover {...placed} class={boxClass}>{content(parts, placed.onClose)}</parts.Popover>}
  </Opener>;
}
