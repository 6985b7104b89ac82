// The certificates that each side has shown, as cards, each below its issuer's
// name, with what was checked of them.

import {el} from './dom.js';
import {markWords, marks} from './words.js';

/**
 * @typedef {import('./types.js').Certificate} Certificate
 * @typedef {import('./types.js').Side} Side
 */

/** @type {Record<string, string>} */
const subjects = {chain: 'the chain', name: 'the name', signature: 'the signature', verify_data: 'the Finished', binder: 'the binder'};

/** @param {import('./types.js').Detail} detail */
export function certificates(detail) {
  return el('div', {class: 'chains'}, chain(detail, 'client'), chain(detail, 'server'));
}

/**
 * @param {import('./types.js').Detail} detail
 * @param {Side} side
 */
function chain(detail, side) {
  const shown = detail.certificates[side] ?? [];
  const other = side === 'client' ? 'server' : 'client';
  const checks = (detail.wire?.messages ?? []).filter((m) => m.from === side).flatMap((m) => m.checks ?? []);
  const top = shown[shown.length - 1];
  return el('section', {class: `chain ${side}`, 'aria-label': `Certificates of the ${side}`},
    el('h3', null, `What the ${side} showed`),
    shown.length === 0 && el('p', {class: 'empty'}, `No certificate of the ${side} was seen.`),
    el('ol', {class: 'cards'},
      shown.map((c, i) => el('li', null, card(c, i === 0), el('p', {class: 'link'}, issued(c, shown[i + 1], i === shown.length - 1))))),
    top && top.issuer !== top.subject && el('div', {class: 'card absent'}, el('b', null, top.issuer), el('p', null, `Not sent: the ${other} must have it, and trust it.`)),
    checks.length > 0 && el('h4', null, `What the ${other} can check of ${shown.length ? 'it' : `the ${side}`}, in this order`),
    el('ol', {class: 'checks'}, checks.map((c) => el('li', {class: c.result},
      el('span', {class: 'mark', 'aria-label': markWords[c.result], role: 'img'}, marks[c.result]), el('span', null, el('b', null, subjects[c.subject] ?? c.subject), ': ', c.text)))));
}

/**
 * @param {Certificate} c
 * @param {Certificate|undefined} next the one after it in the message
 * @param {boolean} last
 */
function issued(c, next, last) {
  if (c.issuer === c.subject) return 'issued by itself';
  if (next && next.subject !== c.issuer) return `issued by ${c.issuer}, which is not the next one`;
  return last ? `issued by ${c.issuer} ↓` : 'issued by ↓';
}

/**
 * @param {Certificate} c
 * @param {boolean} own it is the side's own
 */
function card(c, own) {
  const left = c.days_left < 0 ? `expired ${-c.days_left} days before` : `${c.days_left} days left`;
  /** @type {[string, string|undefined][]} */
  const lines = [
    ['for', c.for], ['names', c.sans?.join(', ')], ['valid', `${c.not_before.slice(0, 10)} to ${c.not_after.slice(0, 10)}, ${left}`],
    ['key', c.key], ['signature', c.signature], ['key usages', c.key_usages?.join(', ')], ['extended', c.ext_key_usages?.join(', ')],
    ['serial', c.serial], ['SHA-256', c.sha256],
  ];
  return el('div', {class: `card${c.days_left < 0 ? ' expired' : ''}`}, el('b', null, c.subject), el('span', {class: 'role'}, c.ca ? 'CA' : own ? 'its own' : 'certificate'),
    el('dl', null, lines.flatMap(([name, value]) => (value ? [el('dt', null, name), el('dd', null, value)] : []))));
}
