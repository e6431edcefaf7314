// What the first screen does not need: one file, loaded after it.
export { Chart } from './view/chart';
export { ContextView } from './view/context';
export { Detail } from './view/detail';
export { DownloadForm } from './view/download';
export { Editor } from './view/editor';
export { ChipEdit, FilterForm } from './view/filter';
export { Help } from './view/help';
export { LineMenu } from './view/linemenu';
export { Menu, Popover } from './view/menu';
export { Patterns } from './view/patterns';
export { PreferencesForm } from './view/preferencesform';
export { shareItems } from './view/share';
export { Status } from './view/status';
export { StreamPicker } from './view/streams';
export { GoToTime, TimeForm } from './view/timeform';

/** The build that this file is of. */
export const build = BUILD;
