// Keeps a fault in one pane from taking the page with it: says so, offers to draw it again, and hands out what a report needs.
import { Component, type ComponentChildren } from 'preact';
import { notify } from '../state';
import { copyText } from '../text/clipboard';

interface Props {
  readonly name: string;
  readonly children: ComponentChildren;
}

export class Boundary extends Component<Props, { error: unknown }> {
  override state = { error: undefined as unknown };

  override componentDidCatch(error: unknown): void {
    this.setState({ error });
  }

  override render() {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    const details = error instanceof Error ? `${this.props.name}: ${error.stack ?? error.message}` : String(error);
    return <div class="crash" role="alert">
      <p><strong>This part failed.</strong> The rest of the page goes on.</p>
      <div class="row">
        <button type="button" class="button bordered" onClick={() => this.setState({ error: undefined })}>Reload it</button>
        <button type="button" class="button" onClick={() => void copyText(details).then(() => notify('Details copied'))}>Copy details</button>
      </div>
      <pre class="muted">{details}</pre>
    </div>;
  }
}
