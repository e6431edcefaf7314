// The page: the bar at the top, the place that the address names, and what lies over both.
import { useEffect } from 'preact/hooks';
import { registerKeys } from '../keys';
import { address, toast } from '../state';
import { Boundary } from './boundary';
import { Later, loadLater } from './later';
import { Logs } from './logs';
import { isHelpOpen, isPickerOpen } from './open';
import { Overview } from './overview';
import { Top } from './top';

/** When the rest of the page is loaded at the latest: after what is seen first. */
const REST_MS = 600;

export function App() {
  const { place } = address.value;
  useEffect(() => registerKeys('Everywhere', [
    { keys: ['?'], does: 'this help', run: () => void (isHelpOpen.value = true) },
    { keys: ['s'], does: 'streams: pick from all of them', run: () => void (isPickerOpen.value = true) },
  ]), []);
  useEffect(() => void setTimeout(() => void loadLater(), REST_MS), []);
  return <>
    <a class="skip" href="#main" onClick={skip}>Skip to the lines</a>
    <Boundary name="top"><Top /></Boundary>
    <main id="main" class={`place place-${place}`} tabIndex={-1}>
      <Boundary name={place} key={place}>
        {place === 'overview' ? <Overview /> : place === 'logs' ? <Logs /> : <Later>{({ Status }) => <Status />}</Later>}
      </Boundary>
    </main>
    <Boundary name="dialogs">
      {isHelpOpen.value && <Later>{({ Help }) => <Help />}</Later>}
      {isPickerOpen.value && <Later>{({ StreamPicker }) => <StreamPicker />}</Later>}
      {toast.value !== null && <Later>{({ Toast }) => <Toast />}</Later>}
    </Boundary>
  </>;
}

/** To the list if there is one, without touching the address. */
function skip(event: Event): void {
  event.preventDefault();
  const main = document.getElementById('main');
  (main?.querySelector<HTMLElement>('[role=grid] [tabindex="0"], [role=grid]') ?? main)?.focus();
}
