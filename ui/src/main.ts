// Starts the page: preferences, address, keys, then the view.
import { effect } from '@preact/signals';
import { h, options, render } from 'preact';
import './style/tokens.css';
import './style/base.css';
import './style/shell.css';
import './style/list.css';
import './style/overview.css';
import './style/status.css';
import { watchStatus } from './api/status';
import { listen } from './keys';
import { followLinks } from './links';
import { start as startPreferences } from './preferences';
import { start as startRoute } from './route';
import { address } from './state';
import { App } from './view/app';

// What is drawn listens before the next key or click comes, and not only after the next frame: none is lost in between.
options.requestAnimationFrame = queueMicrotask;

startPreferences();
startRoute();
listen();
followLinks();
watchStatus();

const TITLES = { overview: 'Overview', logs: 'Logs', status: 'Status' };
effect(() => {
  document.title = `${TITLES[address.value.place]} · monitoring-rs`;
});

const root = document.getElementById('app')!;
// The skeleton was for before the script.
root.replaceChildren();
render(h(App, null), root);
