import { signal } from '@preact/signals';
import { h, render } from 'preact';
import './style/base.css';
const n = signal(1);
render(h('p', null, n), document.getElementById('app')!);
void import('uplot').then((u) => console.log(u.default));
