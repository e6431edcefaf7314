// The popover of preferences: each applies at once.
import { prefer } from '../preferences';
import { preferences, type Preferences } from '../state';
import { ZonePicker } from './zonepicker';

type Choice<T> = readonly (readonly [value: T, label: string])[];

export function PreferencesForm() {
  return <>
    <h2>Preferences</h2>
    <Segments name="theme" label="Theme" choices={[['system', 'System'], ['light', 'Light'], ['dark', 'Dark']]} />
    <Segments name="rowHeight" label="Rows" choices={[[18, 'Dense'], [20, 'Normal'], [24, 'Roomy']]} />
    <Segments name="order" label="Newest" choices={[['asc', 'At the bottom'], ['desc', 'At the top']]} />
    <Segments name="show" label="Lines" choices={[['smart', 'Smart'], ['raw', 'Raw']]} />
    <Picker name="timeFormat" label="Times" choices={[['time', '10:12:04'], ['millis', '10:12:04.003'], ['date', '30 Nov 10:12:04.003'], ['ago', '2 min ago'],
      ['delta', '+3 ms after the line before']]} />
    <label class="pref">
      <span>Zone</span>
      <ZonePicker />
    </label>
    <div class="pref-checks">
      <Check name="wrap" label="Wrap long lines" />
      <Check name="ansi" label="Terminal colours in lines" />
      <Check name="ownTimes" label="Times that lines begin with themselves" />
      <Check name="streamColours" label="A colour for each stream" />
      <Check name="barPatterns" label="Patterns in bars of errors" />
      <Check name="readAloud" label="Read new lines aloud" />
      <Check name="singleKeys" label="Single-key shortcuts" />
    </div>
  </>;
}

type NameOf<T> = { [N in keyof Preferences]: T extends Preferences[N] ? N : never }[keyof Preferences];

function Segments<N extends keyof Preferences>({ name, label, choices }: { name: N; label: string; choices: Choice<Preferences[N]> }) {
  return <fieldset class="pref">
    <legend class="sr">{label}</legend>
    <span aria-hidden="true">{label}</span>
    <div class="choices">
      {choices.map(([value, words]) => <label key={words}>
        <input class="sr" type="radio" name={name} checked={preferences.value[name] === value} onChange={() => prefer({ [name]: value })} />
        <span>{words}</span>
      </label>)}
    </div>
  </fieldset>;
}

function Picker<N extends keyof Preferences>({ name, label, choices }: { name: N; label: string; choices: Choice<Preferences[N] & string> }) {
  return <label class="pref">
    <span>{label}</span>
    <select class="box" value={preferences.value[name] as string} onChange={(event) => prefer({ [name]: event.currentTarget.value })}>
      {choices.map(([value, words]) => <option key={value} value={value}>{words}</option>)}
    </select>
  </label>;
}

function Check({ name, label }: { name: NameOf<boolean>; label: string }) {
  return <label class="check">
    <input type="checkbox" checked={preferences.value[name]} onChange={(event) => prefer({ [name]: event.currentTarget.checked })} />
    <span>{label}</span>
  </label>;
}
