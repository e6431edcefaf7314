// What can be done with the ticked streams.
import { hrefOf } from '../route';
import { address, DEFAULT_ADDRESS } from '../state';
import { queryOf, ticked } from './chosen';

export function Ticked() {
  const count = ticked.value.size;
  const { from, to } = address.value;
  const q = queryOf([...ticked.value.values()]);
  const base = { ...DEFAULT_ADDRESS, place: 'logs' as const, q };
  return <div class="ticked" role="group" aria-label="Selected streams">
    <span class="grow">{count} selected</span>
    <a class="button primary" href={hrefOf({ ...base, from: to === 'now' ? from : '1h', to: 'now', live: true })}>Follow {count}</a>
    <a class="button bordered" href={hrefOf({ ...base, from, to, live: false })}>Open {count}</a>
    <button type="button" class="button" onClick={() => (ticked.value = new Map())}>Clear</button>
  </div>;
}
