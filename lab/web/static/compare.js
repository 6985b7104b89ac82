// Two exchanges beside each other: what they agreed on, and their messages,
// aligned by what they work towards.

import {el} from './dom.js';
import {marks, nameOf, outcomeOf, shownBy, statusesOf} from './words.js';

/**
 * @typedef {import('./types.js').Detail} Detail
 * @typedef {import('./types.js').Rung} Rung
 */

/**
 * @param {Detail} a
 * @param {Detail} b
 */
export function comparison(a, b) {
  return [
    el('header', {class: 'what'}, el('h2', null, `${nameOf(a)} and ${nameOf(b)}`), el('p', {class: 'facts'}, 'What differs is marked.')),
    el('div', {class: 'wide'}, el('table', {class: 'compared'},
      el('thead', null, el('tr', null, el('td'), [a, b].map((x) => el('th', {scope: 'col'}, el('a', {href: `#${x.id}`}, nameOf(x)))))),
      el('tbody', null, compared.slice(0, 2).map(([name, of]) => row(name, of(a), of(b)))),
      el('tbody', null, el('tr', null, el('th', {colspan: 3, scope: 'rowgroup'}, 'What was said, by what it is for')), stages(a, b).map((stage) => stageRow(stage, a, b))),
      el('tbody', null, el('tr', null, el('th', {colspan: 3, scope: 'rowgroup'}, 'What came of it')), compared.slice(2).map(([name, of]) => row(name, of(a), of(b)))))),
  ];
}

/** @type {[string, (x: Detail) => string|undefined][]} */
const compared = [
  ['outcome', (x) => outcomeOf(x).text], ['why', (x) => x.reason], ['code', (x) => x.code],
  ['alert', (x) => x.alert && `${x.alert.name} (${x.alert.code}), by the ${x.alert.sent_by}`],
  ['version', (x) => x.tls.version], ['cipher suite', (x) => x.tls.cipher_suite], ['group', (x) => x.tls.group], ['protocol', (x) => x.tls.alpn],
  ['resumed', (x) => (x.tls.resumed ? 'yes' : 'no')],
  ['the client showed', (x) => shownBy(x, 'client')], ['the server showed', (x) => shownBy(x, 'server')],
  ['the client got as far as', (x) => x.client.state], ['the server got as far as', (x) => x.server.state],
  ['the client learned of it', (x) => x.client.learned], ['HTTP', (x) => statusesOf(x) || undefined],
  ['duration', (x) => x.took],
];

/**
 * @param {string} name
 * @param {string|undefined} a
 * @param {string|undefined} b
 */
function row(name, a, b) {
  if (!a && !b) return '';
  return el('tr', {class: a === b || name === 'duration' ? null : 'differs'}, el('th', {scope: 'row'}, name), el('td', null, a || '–'), el('td', null, b || '–'));
}

/**
 * The stages of both, in order: where they differ, in that of the second, which
 * is the newer version as a rule.
 * @param {Detail} a
 * @param {Detail} b
 */
function stages(a, b) {
  const of = (/** @type {Detail} */ x) => [...new Set(rungs(x).map((r) => r.stage ?? ''))].filter(Boolean);
  const all = of(b);
  of(a).forEach((stage, i, own) => { // one that b does not have comes behind the one before it
    if (!all.includes(stage)) all.splice(i === 0 ? 0 : all.indexOf(own[i - 1]) + 1, 0, stage);
  });
  return all;
}

/** @param {Detail} x */
function rungs(x) {
  return x.ladder?.rungs ?? [];
}

/**
 * @param {string} stage
 * @param {Detail} a
 * @param {Detail} b
 */
function stageRow(stage, a, b) {
  const said = [a, b].map((x) => rungs(x).filter((r) => r.stage === stage));
  return el('tr', null, el('th', {scope: 'row'}, stage), said.map((of, i) => el('td', null, el('ol', null, of.map((r) => {
    const alike = said[1 - i].some((other) => other.name === r.name && other.from === r.from && other.encrypted === r.encrypted && told(other) === told(r));
    return el('li', {class: `${r.from}${alike ? '' : ' differs'}${r.encrypted ? ' encrypted' : ''}`},
      el('b', null, r.name), el('span', {class: 'name'}, ` ${r.time ?? ''}${r.encrypted ? `, ${r.key}` : ''}`),
      el('div', {class: 'way', role: 'img', 'aria-label': `from the ${r.from}`}), el('p', null, told(r)));
  })))));
}

/**
 * What is told of a message, with its checks.
 * @param {Rung} r
 */
function told(r) {
  return [r.text, ...(r.checks ?? []).map((c) => `${marks[c.result]} ${c.text}`)].filter(Boolean).join(' ');
}
