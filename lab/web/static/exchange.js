// One exchange: what each side says, the ladder with its steps, the bytes of the
// step, and the certificates.

import {arithmetic} from './arithmetic.js';
import {alertFields, fieldsAndBytes, hexDump, toBytes} from './bytes.js';
import {certificates} from './certificates.js';
import {comparison} from './compare.js';
import {el, isTyping, svg} from './dom.js';
import {LadderPicture} from './ladder.js';
import {saveMenu} from './save.js';
import {verdict} from './verdict.js';
import {markWords, marks, nameOf, outcomeOf, statusesOf} from './words.js';

/**
 * @typedef {import('./types.js').Detail} Detail
 * @typedef {import('./types.js').Rung} Rung
 */

/** How long a step is shown at speed 1, in milliseconds. */
const stepTime = 2500;

export class ExchangeView {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    /** @type {Detail|null} */
    this.detail = null;
    /** @type {LadderPicture|null} */
    this.picture = null;
    this.step = -1; // -1: all is shown
    this.speed = 1;
    this.width = 0; // for which the ladder is drawn
    this.size = 0; // of the letters, likewise
    this.timer = 0; // 0: it does not play
    /** @type {((name: string, version: string) => void)|null} runs a lesson; null: there is no lab */
    this.run = null;
    this.served = false; // there is a server, which has files to take along
    this.others = el('select', {'aria-label': 'Compare with another exchange', onpointerenter: () => this.fillOthers(), onfocus: () => this.fillOthers(), onchange: () => {
      if (this.detail && this.others.value) location.hash = `${this.detail.id}+${this.others.value}`;
    }}, el('option', {value: ''}, 'Compare with …'));
    /** @type {import('./types.js').Row[]} newest first */
    this.rows = [];
    this.frame = el('div', {class: 'frame'});
    this.panel = el('section', {class: 'step', 'aria-live': 'polite', 'aria-label': 'This step'});
    this.controls = this.makeControls();
    new ResizeObserver(() => this.redraw()).observe(this.frame);
  }

  /** @param {Detail} detail */
  show(detail) {
    this.stop();
    this.detail = detail;
    this.step = document.body.classList.contains('presenting') ? 0 : -1;
    this.width = 0;
    this.offer(this.rows);
    this.others.value = '';
    const {text, mood} = outcomeOf(detail);
    this.root.replaceChildren(
      el('header', {class: 'what'}, el('h2', null, nameOf(detail), ' ', el('span', {class: `badge ${mood}`}, text)),
        el('div', {class: 'take'}, this.others, saveMenu(detail, this.served, () => this.picture?.file() ?? '')),
        el('p', {class: 'facts'}, facts(detail), el('time', null, detail.time?.replace('T', ' ').slice(0, 19)))),
      ...verdict(detail, this.run),
      detail.ladder
        ? el('section', {class: 'drawing', 'aria-label': 'The ladder'}, this.controls, el('div', {class: 'beside'}, this.frame, this.panel))
        : el('p', {class: 'empty'}, 'What was said on it is not here: the page was too slow for it, or its memory was full. The capture has it.'),
      detail.ladder ? el('section', {class: 'papers', 'aria-label': 'Certificates'}, el('h2', null, 'Certificates'), certificates(detail)) : '',
      detail.arithmetic ? el('section', {'aria-label': 'The arithmetic', class: 'papers'}, arithmetic(detail.arithmetic, this.served ? () => secretsOf(detail.id) : null)) : '');
    this.root.scrollTop = 0; // the cause is at the top
    this.redraw();
    this.go(this.step);
  }

  /**
   * Two exchanges beside each other.
   * @param {Detail} a
   * @param {Detail} b
   */
  compare(a, b) {
    this.stop();
    this.detail = null;
    this.root.replaceChildren(...comparison(a, b));
    this.root.scrollTop = 0;
  }

  /**
   * What can be compared with the exchange that is shown.
   * @param {import('./types.js').Row[]} rows newest first
   */
  offer(rows) {
    this.rows = rows;
    this.others.hidden = !rows.some((x) => x.id !== this.detail?.id);
  }

  /** Puts them into the menu: when somebody comes near it, not whenever there are others. */
  fillOthers() {
    const few = 50;
    const others = this.rows.filter((x) => x.id !== this.detail?.id);
    /** @type {[string, (x: import('./types.js').Row) => boolean][]} */
    const groups = [['Lessons', (x) => Boolean(x.title)], ['Failed', (x) => !x.title && outcomeOf(x).mood === 'bad'],
      ['Others', (x) => !x.title && outcomeOf(x).mood !== 'bad']];
    this.others.replaceChildren(el('option', {value: ''}, 'Compare with …'), ...groups.map(([label, belongs]) => {
      const of = others.filter(belongs).slice(0, few);
      return of.length ? el('optgroup', {label}, of.map((x) => el('option', {value: x.id}, `${nameOf(x)}: ${outcomeOf(x).text}${x.title ? `, ${x.time.slice(11, 19)}` : ''}`))) : '';
    }));
  }

  /** @param {string} message */
  fail(message) {
    this.stop();
    this.detail = null;
    this.root.replaceChildren(el('p', {class: 'empty', role: 'alert'}, message));
  }

  /** Draws the ladder for the room that there is. */
  redraw() {
    const ladder = this.detail?.ladder;
    if (!ladder || !this.frame.isConnected) return;
    const width = this.frame.clientWidth;
    const size = parseFloat(getComputedStyle(document.body).fontSize);
    if (this.width === width && this.size === size) return;
    this.width = width;
    this.size = size;
    this.picture = new LadderPicture(ladder, width, (step) => {
      this.stop();
      this.go(step);
    });
    this.frame.replaceChildren(this.picture.svg, this.picture.list);
    this.picture.mark(this.step);
  }

  makeControls() {
    this.playButton = el('button', {type: 'button', onclick: () => this.toggle(), title: 'Play or pause (space)'}, 'Play');
    this.where = el('span', {class: 'where', role: 'status'});
    const button = (/** @type {string} */ shape, /** @type {string} */ title, /** @type {() => void} */ act) => el('button', {type: 'button', title, 'aria-label': title, onclick: () => {
      this.stop();
      act();
    }}, svg('svg', {viewBox: '0 0 16 16', 'aria-hidden': 'true'}, svg('path', {d: shape})));
    const speed = el('select', {'aria-label': 'Speed', onchange: () => {
      this.speed = Number(speed.value);
    }}, [0.5, 1, 2, 4].map((n) => el('option', {value: n, selected: n === 1}, `${n}×`)));
    return el('div', {class: 'controls'}, el('h2', null, 'What was said'),
      button('M3 3h3v10H3zM14 3v10L6 8z', 'From the start (Home)', () => this.go(0)), button('M12 3v10L4 8z', 'One step back (left arrow)', () => this.back()),
      this.playButton, button('M4 3v10l8-5z', 'One step on (right arrow)', () => this.forth()), button('M13 3h-3v10h3zM2 3v10l8-5z', 'To the end (End)', () => this.go(this.last())),
      el('button', {type: 'button', title: 'Show everything (a)', onclick: () => this.go(-1)}, 'All'), speed, this.where,
      el('button', {type: 'button', class: 'ask', title: 'Show or hide the notes (n)', onclick: () => this.notes()}, 'Notes'));
  }

  last() {
    return (this.detail?.ladder?.rungs.length ?? 0) - 1;
  }

  back() {
    this.go(this.step < 0 ? this.last() : Math.max(this.step - 1, 0));
  }

  forth() {
    this.go(Math.min(this.step + 1, this.last()));
  }

  /** @param {number} step -1: all is shown */
  go(step) {
    const ladder = this.detail?.ladder;
    if (!ladder) return;
    this.step = step;
    this.picture?.mark(step);
    if (this.where) this.where.textContent = step < 0 ? `${ladder.rungs.length} steps` : `step ${step + 1} of ${ladder.rungs.length}`;
    this.panel.classList.toggle('stepping', step >= 0);
    this.panel.replaceChildren(...(step < 0 ? this.overview(ladder) : this.stepWords(ladder.rungs[step])));
    document.body.classList.remove('asked');
    if (step >= 0) this.picture?.rungs[step]?.scrollIntoView({block: 'center', behavior: calm() ? 'auto' : 'smooth'});
  }

  /** @param {import('./types.js').Ladder} ladder */
  overview(ladder) {
    const {rungs} = ladder;
    const starts = rungs.flatMap((rung, i) => (rung.stage && rung.stage !== rungs.slice(0, i).findLast((r) => r.stage)?.stage ? [i] : []));
    return [el('h3', null, breakable(ladder.agreed || 'Nothing was agreed on')), ...ladder.ending.slice(1).map((p) => el('p', null, p)),
      el('p', {class: 'hint'}, 'Choose a message, or go step by step: → and ←, space to play.'),
      el('ol', {class: 'story', 'aria-label': 'The parts of it'}, starts.map((i) => el('li', null, el('button', {type: 'button', onclick: () => this.go(i)}, rungs[i].stage)))),
      el('ul', {class: 'legend'}, ladder.legend.map((line) => el('li', null, line)), el('li', null, 'The checks are the lab\'s own. What a side makes of them, it says.'))];
  }

  /** @param {Rung} rung */
  stepWords(rung) {
    const to = rung.from === 'client' ? 'server' : 'client';
    const {client, server} = rung.beliefs;
    return [
      rung.stage && el('p', {class: 'stage'}, rung.stage),
      el('p', {class: 'from'}, rung.from ? [rung.time, `the ${rung.from} to the ${to}`, rung.size].filter(Boolean).join(' · ') : rung.alarm ? 'What could not be seen' : 'A turning point'),
      el('h3', {class: rung.alarm ? 'alarm' : null}, rung.name || rung.text),
      rung.name && rung.text ? el('p', {class: 'said'}, rung.text) : '',
      rung.from && rung.messages?.length && el('p', {class: 'key'}, rung.encrypted ? `Encrypted: ${rung.key}.` : 'Not encrypted: anybody on the way can read it.'),
      rung.checks?.length ? el('ul', {class: 'checks'}, rung.checks.map((c) => el('li', {class: c.result},
        el('span', {class: 'mark', role: 'img', 'aria-label': markWords[c.result]}, marks[c.result]), c.text))) : '',
      el('dl', {class: 'beliefs'}, el('dt', {class: 'client'}, 'The client'), el('dd', {class: client.kind}, client.text),
        el('dt', {class: 'server'}, 'The server'), el('dd', {class: server.kind}, server.text)),
      ...(rung.messages ?? []).slice(0, 1).map((i) => this.opened(i)),
    ].filter((node) => node instanceof Node);
  }

  /**
   * The inside of a message.
   * @param {number} i
   */
  opened(i) {
    const detail = /** @type {Detail} */ (this.detail);
    const message = detail.wire?.messages[i];
    if (!message) return '';
    const plain = detail.plain?.[i] ?? '';
    const parts = [];
    if (message.handshake && plain) parts.push(fieldsAndBytes(message.handshake.fields, plain, message.handshake.name));
    else if (message.alert && plain) parts.push(fieldsAndBytes(alertFields(message.alert), plain, 'Alert'));
    else if (message.http) {
      parts.push(el('ul', {class: 'headers'}, el('li', null, message.http.line), message.http.headers.map((h) => el('li', null, el('b', null, h.name), ': ', h.value))));
    } else if (plain) parts.push(hexDump(toBytes(plain), 'Bytes of it').element);
    if (message.decompressed && detail.inner?.[i]) {
      parts.push(el('h5', null, 'Decompressed'), fieldsAndBytes(message.decompressed.fields, detail.inner[i], message.decompressed.name));
    }
    return el('details', {class: 'inside', open: true}, el('summary', null, 'Fields and bytes'), ...parts, onTheWire(detail, message, plain));
  }

  toggle() {
    if (this.timer) return this.stop();
    if (this.step >= this.last() || this.step < 0) this.go(0);
    const next = () => {
      if (this.step >= this.last()) return this.stop();
      this.forth();
      this.timer = window.setTimeout(next, stepTime / this.speed);
    };
    this.timer = window.setTimeout(next, stepTime / this.speed);
    if (this.playButton) this.playButton.textContent = 'Pause';
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = 0;
    if (this.playButton) this.playButton.textContent = 'Play';
  }

  /** Shows or hides the notes of a presentation. */
  notes() {
    document.body.classList.toggle('asked');
  }

  /** @param {boolean} on */
  present(on) {
    this.redraw();
    this.go(on ? Math.max(this.step, 0) : this.step);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (!this.detail?.ladder || isTyping(event.target)) return;
    const onButton = event.target instanceof Element && event.target.closest('button, summary') !== null;
    const act = {
      ArrowRight: () => this.forth(), ArrowDown: null, ArrowLeft: () => this.back(), Home: () => this.go(0), End: () => this.go(this.last()),
      ' ': onButton ? null : () => this.toggle(), a: () => this.go(-1), n: () => this.notes(),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    if (event.key !== ' ') this.stop();
    act();
    if (document.activeElement?.closest('.stops')) this.picture?.buttons[Math.max(this.step, 0)]?.focus({preventScroll: true});
  }
}

/** Reports whether the reader wants nothing to move. */
function calm() {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}

/**
 * Lets a long name break behind a _.
 * @param {string} text
 */
function breakable(text) {
  return text.split(/(?<=_)/).flatMap((part) => [part, el('wbr')]);
}

/** @param {Detail} x */
function facts(x) {
  return [x.tls.version, x.tls.cipher_suite, x.tls.group, x.tls.alpn, x.tls.resumed && 'resumed', x.http && `HTTP ${statusesOf(x)}`,
    x.took, `${x.client_addr} to ${x.server_addr}`].filter(Boolean).map((fact) => `${fact} · `).join('');
}

/** @param {number} id */
async function secretsOf(id) {
  const response = await fetch(`/exchanges/${id}/secrets`);
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

/**
 * The records of a message as they crossed the wire, beside what was in them.
 * @param {Detail} detail
 * @param {import('./types.js').Message} message
 * @param {string} plain
 */
function onTheWire(detail, message, plain) {
  const stream = detail.streams[message.from] ?? '';
  const records = message.records.filter((r) => (r.offset + r.length) * 2 <= stream.length).slice(0, 4);
  if (!records.length) return '';
  return el('details', {class: 'wire'}, el('summary', null, 'As it crossed the wire'), el('div', {class: 'both'},
    el('div', null, el('h5', null, message.key ? 'Encrypted' : 'The record'), records.map((r) => hexDump(toBytes(stream.slice(r.offset * 2, (r.offset + r.length) * 2)),
      `Record of ${r.length} bytes at byte ${r.offset}`).element)),
    message.key && plain ? el('div', null, el('h5', null, 'Decrypted'), hexDump(toBytes(plain), 'Decrypted').element) : ''));
}
