// The button of the preferences.
import { Icon } from './icon';
import { PopoverButton } from './opener';

export function PreferencesButton() {
  return <PopoverButton label="Preferences" face={<Icon name="gear" />} class="bare" title="Preferences" align="end" boxClass="preferences"
    content={({ PreferencesForm }) => <PreferencesForm />} />;
}
