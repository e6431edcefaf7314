// The page of an agent that has not read a line: what it looks at, what was refused, and the commands that mend it.
import { type Source, status, statusError } from '../api/status';
import { notify } from '../state';
import { copyText } from '../text/clipboard';
import { visible } from '../text/controls';
import { formatCount } from '../time/format';
import { Icon } from './icon';

/** The command that lets the agent read a file, as somebody would type it on the node. */
export function permissionCommand(path: string): string {
  return `sudo chmod o+r ${/[^\w./-]/.test(path) ? `'${path.replaceAll("'", `'\\''`)}'` : path}`;
}

export function SourceProblem({ source }: { source: Source }) {
  const isDenied = /permission denied/i.test(source.problem ?? '');
  return <li class="problem">
    <Icon name="warning" />
    <code class="problem-path">{visible(source.path)}</code>
    <span class="grow">cannot be read{source.problem === undefined ? '' : `: ${visible(source.problem)}`}</span>
    {isDenied && <Command text={permissionCommand(source.path)} />}
  </li>;
}

export function Command({ text }: { text: string }) {
  return <span class="command"><code tabIndex={0}>{visible(text)}</code>
    <button type="button" class="button bare small" aria-label="Copy the command" onClick={() => void copyText(text).then(() => notify('Command copied'))}><Icon name="copy" /></button>
  </span>;
}

/** The page of an agent that has not read a line. */
export function NothingYet() {
  const now = status.value;
  const refused = now?.sources?.filter(({ state }) => state === 'unreadable') ?? [];
  return <div class="nothing">
    <h1>Nothing has been read yet.</h1>
    {statusError.value !== '' && <p class="danger">{statusError.value}</p>}
    {now !== null && <>
      <p>{now.problem ?? <>The agent looks at <code>{now.root}</code> as <b>{now.collector}</b> and sees {formatCount(now.sources?.length ?? 0)}{' '}
        {now.sources?.length === 1 ? 'file' : 'files'}. The first line shows here by itself.</>}</p>
      {refused.length > 0 && <><h2>Refused</h2><ul>{refused.slice(0, 20).map((source) => <SourceProblem key={source.path} source={source} />)}</ul></>}
      <h2>If you expected more</h2>
      <ul class="hints">
        <li>Another directory is read with <code>--root-path</code>, another kind of source with <code>--log-collector</code>.</li>
        <li>A line is written by <Command text={`echo hello >> ${now.root.replace(/\/$/, '')}/hello.log`} /></li>
        <li>Programs can push lines: <code>POST /loki/api/v1/push</code>.</li>
      </ul>
    </>}
  </div>;
}
