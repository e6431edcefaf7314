// What the first screen does not need: one file, loaded after it.
export { watchErrors } from './api/errors';
export { FirstMinutes } from './view/beginning';
export { Chart } from './view/chart';
export { watchChips } from './view/chipcounts';
export { ContextView } from './view/context';
export { Detail } from './view/detail';
export { DownloadForm } from './view/download';
export { Editor } from './view/editor';
export { watchErrorsOf } from './view/favicon';
export { ChipEdit, FilterForm } from './view/filter';
export { Fault } from './view/fault';
export { Finder } from './view/finder';
export { FindLines } from './view/findlines';
export { Help } from './view/help';
export { HistogramStrip } from './view/histogram';
export { LineActions } from './view/lineactions';
export { registerLogsKeys } from './view/logskeys';
export { Menu, Popover } from './view/menu';
export { NothingYet } from './view/nothing';
export { OverLines, Selected } from './view/overlines';
export { Patterns } from './view/patterns';
export { PreferencesForm } from './view/preferencesform';
export { shareItems } from './view/share';
export { Sidebar } from './view/sidebar';
export { Empty, Notices } from './view/states';
export { Status } from './view/status';
export { StreamPicker } from './view/streams';
export { Summary } from './view/summary';
export { Ticked } from './view/ticked';
export { GoToTime, TimeForm } from './view/timeform';
export { registerTimeKeys } from './view/timekeys';
export { Toast } from './view/toast';
export { viewItems } from './view/viewitems';

/** The build that this file is of. */
export const build = BUILD;
