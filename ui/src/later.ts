// What the first screen does not need: one chunk, which also holds what draws charts.
export { Chart } from './view/chart';
export { ContextView } from './view/context';
export { Detail } from './view/detail';
export { Editor } from './view/editor';
export { ChipEdit, FilterForm } from './view/filter';
export { Patterns } from './view/patterns';
export { GoToTime, TimeForm } from './view/timeform';
