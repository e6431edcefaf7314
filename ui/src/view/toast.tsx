// The short message at the bottom: it goes by itself unless it is an error or the pointer rests on it, and is read aloud.
import { useEffect, useState } from 'preact/hooks';
import { toast } from '../state';
import { announce } from './announce';
import { Icon } from './icon';

const SHOWN_MS = 5_000;
const ERROR_SHOWN_MS = 15_000;

export function Toast() {
  const message = toast.value;
  const [isHeld, hold] = useState(false);
  useEffect(() => {
    if (message !== null) announce(message.text, message.kind === 'error');
  }, [message]);
  useEffect(() => {
    if (message === null || isHeld) return undefined;
    const timer = setTimeout(() => (toast.value = null), message.kind === 'error' ? ERROR_SHOWN_MS : SHOWN_MS);
    return () => clearTimeout(timer);
  }, [message, isHeld]);
  if (message === null) return null;
  const { text, kind, action } = message;
  return <div class={`toast toast-${kind}`} onPointerEnter={() => hold(true)} onPointerLeave={() => hold(false)} onFocusIn={() => hold(true)}
    onFocusOut={() => hold(false)}>
    {kind === 'error' && <Icon name="warning" />}
    <span class="grow">{text}</span>
    {action !== undefined && <button type="button" class="button small" onClick={() => {
      toast.value = null;
      action.run();
    }}>{action.label}</button>}
    <button type="button" class="button bare small" aria-label="Close" onClick={() => (toast.value = null)}><Icon name="close" /></button>
  </div>;
}
