// Underlines in a box of one line where the expression in it is wrong: a box has no parts of its own to be underlined.
import { useEffect, useRef } from 'preact/hooks';
import { faultOf } from '../logql/fault';

interface Props {
  readonly input: HTMLInputElement;
  readonly text: string;
  /** The server's words. */
  readonly message: string;
}

export function Fault({ input, text, message }: Props) {
  const mirror = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const follow = () => {
      mirror.current!.scrollLeft = input.scrollLeft;
    };
    follow();
    input.addEventListener('scroll', follow);
    return () => input.removeEventListener('scroll', follow);
  }, [text]);
  const [start, end] = faultOf(text, message);
  return <div ref={mirror} class="qbar-mirror" aria-hidden="true">{text.slice(0, start)}<span class="q-wrong">{text.slice(start, end)}</span>{text.slice(end)}</div>;
}
