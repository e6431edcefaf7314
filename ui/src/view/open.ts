// Which of the dialogs are open. They are drawn by parts that are loaded later; what opens them is here from the beginning.
import { signal } from '@preact/signals';

export const isHelpOpen = signal(false);
export const isPickerOpen = signal(false);
export const isTimeOpen = signal(false);
