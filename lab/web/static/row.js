// A row of the list. Where exchanges come by the hundred, an element that is no
// longer in sight becomes that of another exchange: only texts change.

import {el, visible} from './dom.js';
import {outcomeOf, statusesOf} from './words.js';

/** @typedef {import('./types.js').Row} Exchange */

/** The sign of an outcome. */
const signs = {good: '✓', bad: '✗', odd: '!'};

export class Row {
  constructor() {
    this.sign = document.createTextNode('');
    this.number = document.createTextNode('');
    this.outcome = document.createTextNode('');
    this.why = el('span', {class: 'why'});
    this.who = el('span', {class: 'who'});
    this.link = el('a', null,
      el('span', {class: 'sign', 'aria-hidden': 'true'}, this.sign),
      el('span', {class: 'outcome'}, el('span', {class: 'number'}, this.number), el('b', null, this.outcome)),
      this.why, this.who);
    this.li = el('li', null, this.link);
  }

  /** @param {Exchange} x */
  show(x) {
    const {text, mood} = outcomeOf(x);
    attribute(this.link, 'href', `#${x.id}`);
    attribute(this.link, 'class', `row ${mood}`);
    write(this.sign, signs[mood]);
    write(this.number, x.title ? '' : `${x.exchange} `);
    write(this.outcome, text.replace(', very probably', '?')); // as lab explain --list has it
    titled(this.why, whyOf(x));
    titled(this.who, [x.title || x.tls.version, namesOf(x)].filter(Boolean).join(' · '));
  }

  /**
   * @param {number} i its place in the list
   * @param {number} of how many
   * @param {number} top in pixels
   * @param {boolean} chosen
   */
  place(i, of, top, chosen) {
    this.li.style.top = `${top}px`;
    attribute(this.li, 'aria-posinset', String(i + 1));
    attribute(this.li, 'aria-setsize', String(of));
    if (chosen) attribute(this.link, 'aria-current', 'true');
    else this.link.removeAttribute('aria-current');
  }
}

/**
 * @param {Text} node
 * @param {string} text
 */
function write(node, text) {
  if (node.data !== text) node.data = visible(text);
}

/**
 * Writes words for which there is not always room.
 * @param {HTMLElement} element
 * @param {string} text
 */
function titled(element, text) {
  text = visible(text);
  if (element.title === text) return;
  element.title = text;
  element.textContent = text;
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {string} value
 */
function attribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * Why it ended so, or what came of it.
 * @param {Exchange} x
 */
function whyOf(x) {
  return x.reason || x.code || [x.http && `HTTP ${statusesOf(x)}`, x.took].filter(Boolean).join(' · ');
}

/**
 * The certificates that were shown.
 * @param {Exchange} x
 */
function namesOf(x) {
  const unseen = x.early?.includes('client') || x.hidden?.includes('client');
  return [x.client.certificate || (unseen ? '' : 'no certificate'), x.server.certificate].filter(Boolean).join(' → ');
}
