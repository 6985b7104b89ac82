// The verdict: what became of an exchange, why, and what to do; and what each
// side says.

import {el} from './dom.js';
import {counted, outcomeOf, shownBy} from './words.js';

/**
 * @typedef {import('./types.js').Detail} Detail
 * @typedef {import('./types.js').Side} Side
 */

/**
 * @param {Detail} x
 * @param {((name: string, version: string) => void)|null} run runs a lesson
 */
export function verdict(x, run) {
  return [because(x, run), taught(x), el('section', {class: 'verdict', 'aria-label': 'What each side says'}, says(x, 'client'), says(x, 'server'))];
}

/**
 * @param {Detail} x
 * @param {((name: string, version: string) => void)|null} run runs a lesson
 */
function because(x, run) {
  const {mood} = outcomeOf(x);
  const lesson = x.wire?.scenario ?? '';
  if (!x.reason && !x.alert && !x.fix) return el('section', {class: `because ${mood}`, 'aria-label': 'The verdict'}, el('p', {class: 'reason'}, x.ladder?.ending[0] ?? outcomeOf(x).text));
  return el('section', {class: `because ${mood}`, 'aria-label': 'The verdict'},
    el('p', {class: 'reason'}, sentence(x.reason || `${x.alert?.name}, says the ${x.alert?.sent_by}`)),
    el('dl', null, x.fix && el('div', {class: 'first'}, el('dt', null, 'fix'), el('dd', null, x.fix)), ...pairs([
      ['alert', x.alert && `${x.alert.name} (${x.alert.code}), sent by the ${x.alert.sent_by}${x.alert.arrived === false ? ', which never arrived' : ''}`],
      ['code', x.code],
    ])),
    x.causes?.length ? causes(x.causes) : '',
    lesson && lessonOf(lesson, x, run), x.alike?.map((name) => lessonOf(name, x, run, 'It looks the same on the wire.')));
}

/**
 * What the lesson says, if it is one.
 * @param {Detail} x
 */
function taught(x) {
  if (!x.lesson) return '';
  return el('details', {class: 'taught', open: true}, el('summary', null, 'What this lesson shows'),
    el('dl', null, ...pairs(x.lesson.map(({name, text}) => [name, text]))));
}

/**
 * What may be behind it: the likeliest are in sight, as on the terminal.
 * @param {import('./types.js').Cause[]} all
 */
function causes(all) {
  const few = 3;
  const item = (/** @type {import('./types.js').Cause} */ c) => el('li', null, el('b', null, c.text), ': ', el('span', null, c.tell));
  return el('div', {class: 'causes'}, el('p', null, 'Possible causes, the likeliest first, and how to tell them apart:'), el('ol', null, all.slice(0, few).map(item)),
    all.length > few && el('details', null, el('summary', null, `${counted(all.length - few, 'more cause')}, less likely`), el('ol', {start: few + 1}, all.slice(few).map(item))));
}

/**
 * @param {string} name
 * @param {Detail} x
 * @param {((name: string, version: string) => void)|null} run runs a lesson
 * @param {string} [remark]
 */
function lessonOf(name, x, run, remark) {
  return el('p', {class: 'lesson-of'}, run ? el('button', {type: 'button', class: 'served', onclick: () => run(name, x.tls.version || 'TLS 1.3')}, `Run ${name}`) : 'Lesson: ',
    el('code', null, `lab scenario run ${name}${x.lesson ? ` --tls ${x.tls.version?.slice(4) || '1.3'}` : ''}`), remark ?? '');
}

/**
 * What one side says, as its own program does.
 * @param {Detail} x
 * @param {Side} side
 */
function says(x, side) {
  const party = x[side];
  const known = Boolean(party.state);
  const end = x.ladder?.rungs.at(-1)?.beliefs[side];
  return el('div', {class: `says ${side}`}, el('h3', null, known ? `The ${side} says` : `The ${side}`),
    known ? el('p', {class: 'quote'}, party.error || party.state) : el('p', {class: 'quote unknown'}, 'What it says is in its own log.', x.ladder && ' On the wire:'),
    el('dl', null, ...pairs([['showed', shownBy(x, side)], ['got as far as', known && party.error ? party.state : ''], ['learned of it', party.learned],
      ['at the end', !known && end?.kind !== 'nothing' && end?.text]])));
}

/** @param {string} text */
function sentence(text) {
  return text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');
}

/** @param {[string, string|false|null|undefined][]} all */
function pairs(all) {
  return all.flatMap(([name, value]) => (value ? [el('div', null, el('dt', null, name), el('dd', null, value))] : []));
}
