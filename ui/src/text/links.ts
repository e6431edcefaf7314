// Finds addresses of web pages in a text. Nothing else becomes a link, and what is shown is where it leads.

/** Links of one text; further ones stay text, as do those of more than 2,048 characters. */
const LINKS_MAX = 200;
const LINK = /\bhttps?:\/\/(?=[\w[])[\w!#$%&'()*+,./:;=?@[\]~-]{1,2048}(?![\w!#$%&'()*+,./:;=?@[\]~-])/gi;
/** What ends a sentence around the address rather than the address. */
const BEHIND = /[.,;:!?'*]+$/;

export interface Link {
  readonly start: number;
  readonly end: number;
}

export function findLinks(text: string): Link[] {
  const found: Link[] = [];
  if (!text.includes('://')) return found;
  for (const match of text.matchAll(LINK)) {
    if (found.length === LINKS_MAX) break;
    let url = match[0].replace(BEHIND, '');
    // A closing bracket belongs to the address only if it was opened in it.
    for (const [open, close] of ['()', '[]'] as const) {
      while (url.endsWith(close!) && url.split(open!).length < url.split(close!).length) url = url.slice(0, -1).replace(BEHIND, '');
    }
    if (isWeb(url)) found.push({ start: match.index, end: match.index + url.length });
  }
  return found;
}

function isWeb(url: string): boolean {
  try {
    const { protocol, username, hostname } = new URL(url);
    // A name in front of the host makes a link that says one host and leads to another.
    return (protocol === 'http:' || protocol === 'https:') && username === '' && hostname !== '';
  } catch {
    return false;
  }
}
