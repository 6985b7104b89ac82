// The few words that the page adds to the terminal's: names of things in it.

/**
 * What became of an exchange, in two or three words, and the class that colours it.
 * @param {import('./types.js').Row} x
 * @returns {{text: string, mood: 'good'|'bad'|'odd'}}
 */
export function outcomeOf(x) {
  const perhaps = x.how === 'very probably' ? ', very probably' : '';
  switch (x.outcome) {
    case 'accepted':
      if (x.how === 'refused in HTTP' || x.how === 'refused inside TLS') return {text: x.how, mood: 'bad'};
      return {text: 'accepted' + perhaps, mood: x.reason ? 'odd' : 'good'};
    case 'rejected':
      return {text: `rejected by the ${x.rejected_by}${perhaps}`, mood: 'bad'};
    case 'broken':
      return {text: x.alert ? `broken off by the ${x.alert.sent_by}` : 'broken off', mood: 'bad'};
  }
  return {text: x.how || x.outcome, mood: 'odd'};
}

/**
 * The name of an exchange.
 * @param {import('./types.js').Row} x
 */
export function nameOf(x) {
  return x.title || `Exchange ${x.exchange}`;
}

/**
 * What a side showed of itself.
 * @param {import('./types.js').Row} x
 * @param {import('./types.js').Side} side
 */
export function shownBy(x, side) {
  if (x.hidden?.includes(side)) return 'not known: it is encrypted';
  return x[side].certificate || (x.early?.includes(side) ? 'nothing: its turn had not come' : 'no certificate');
}

/**
 * The statuses of the answers; '': there was none.
 * @param {import('./types.js').Row} x
 */
export function statusesOf(x) {
  return x.http ? [x.http.status, ...(x.http.also ?? [])].join(', ') : '';
}

/**
 * @param {number} n
 * @param {string} what
 */
export function counted(n, what) {
  return `${n.toLocaleString('en-US')} ${what}${n === 1 ? '' : 's'}`;
}

/** The marks of checks. */
export const marks = {holds: '✓', fails: '✗', unknown: '?'};

/** What they mean, for a screen reader. */
export const markWords = {holds: 'holds', fails: 'fails', unknown: 'not known'};

/**
 * The stretch of keys that a rung is in: all keys of the handshake are one.
 * @param {import('./types.js').Rung} r
 */
export function stretchOf(r) {
  const key = r.key ?? '';
  if (!key) return null;
  if (key.includes('handshake')) return {name: 'handshake keys', kind: 'handshake'};
  if (key.includes('early')) return {name: 'key for early data', kind: 'early'};
  if (key.includes('application')) return {name: 'application keys', kind: 'application'};
  if (key.includes('not known') || key.includes('missing')) return {name: key, kind: 'unknown'};
  return {name: 'keys of the session', kind: 'application'};
}
