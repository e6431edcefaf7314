// The choice of the zone that times are shown in.
import { prefer } from '../preferences';
import { agentZone, preferences } from '../state';
import { zoneLabel, zoneName, zoneNames } from '../time/zone';

export function ZonePicker() {
  return <select class="box" value={preferences.value.zone} onChange={(event) => prefer({ zone: event.currentTarget.value })}>
    <option value="browser">Browser ({zoneLabel(zoneName('browser'), Date.now())})</option>
    <option value="agent">Agent ({agentZone.value})</option>
    <option value="utc">UTC</option>
    <optgroup label="All zones">{zoneNames().map((each) => <option key={each}>{each}</option>)}</optgroup>
  </select>;
}
