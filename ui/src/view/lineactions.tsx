// The menu of a line of the list, and what of it is about the list.
import { LineMenu } from './linemenu';
import type { LogsModel } from './logsmodel';
import { selectedText } from './logskeys';

export function LineActions({ model }: { model: LogsModel }) {
  const menu = model.menu.value;
  if (menu === null) return null;
  return <LineMenu line={menu.line} anchor={menu.anchor} selection={selectedText()} onClose={() => (model.menu.value = null)}
    onOpen={() => {
      const pane = model.pane.peek();
      model.focus(menu.line, menu.index > 0 ? pane?.session.store.lineAt(menu.index - 1) : undefined);
      model.isDetailOpen.value = true;
    }} onTick={() => {
      const list = model.pane.peek()?.list;
      if (list === undefined || menu.index < 0) return;
      list.selection.toggle(menu.index);
      list.emit('select', undefined);
      list.setCurrent(list.current);
    }} />;
}
