// The list of exchanges. Only the rows in sight are elements, so that thousands
// cost no more than a screenful.

import {el, pressed} from './dom.js';
import {Row} from './row.js';
import {counted, nameOf, outcomeOf, statusesOf} from './words.js';

/** How many exchanges are kept, as on the server. */
const mostKept = 1000;

/** Rows beyond the edges of what is in sight. */
const beyond = 6;

export class List {
  /**
   * @param {{scroll: HTMLElement, rows: HTMLElement, count: HTMLElement, failed: HTMLElement, search: HTMLInputElement,
   *   outcome: HTMLSelectElement, code: HTMLSelectElement, version: HTMLSelectElement}} parts
   */
  constructor(parts) {
    this.parts = parts;
    /** @type {import('./types.js').Row[]} newest first */
    this.all = [];
    /** @type {import('./types.js').Row[]} those that the filters let through */
    this.shown = [];
    /** @type {WeakMap<import('./types.js').Row, string>} what search looks at, of those it has looked at */
    this.words = new WeakMap();
    this.chosen = 0;
    this.drawing = false;
    this.held = pressed(parts.rows, () => this.filter());
    this.height = 0; // of a row
    /** @type {Map<number, Row>} the rows in sight, by id, from above */
    this.drawn = new Map();
    for (const control of [parts.search, parts.outcome, parts.code, parts.version]) {
      control.addEventListener('input', () => this.filter());
    }
    parts.failed.addEventListener('click', () => {
      parts.failed.setAttribute('aria-pressed', String(!this.failedAlone()));
      this.filter();
    });
    parts.scroll.addEventListener('scroll', () => this.later(), {passive: true});
    new ResizeObserver(() => {
      this.height = 0;
      this.later();
    }).observe(parts.scroll);
    parts.rows.addEventListener('keydown', (event) => this.key(event));
    parts.search.form?.addEventListener('submit', (event) => event.preventDefault());
    this.offer();
  }

  /**
   * Adds exchanges, the newest last.
   * @param {import('./types.js').Row[]} rows
   */
  add(rows) {
    this.all = [...rows].reverse().concat(this.all);
    this.all.length = Math.min(this.all.length, mostKept);
    this.offer();
    this.filter();
  }

  /** Shows the rows that match. Who has scrolled down stays where they are. */
  filter() {
    if (this.held()) return;
    const {search, scroll} = this.parts;
    const [outcome, code, version] = [this.parts.outcome, this.parts.code, this.parts.version].map((select) => select.value);
    const wanted = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const newest = this.shown.length ? this.shown[0].id : Infinity;
    this.shown = this.all.filter((x) =>
      (!this.failedAlone() || isFailed(x)) &&
      (!outcome || outcomeOf(x).text.startsWith(outcome)) &&
      (!code || x.code === code) &&
      (!version || x.tls.version === version) &&
      wanted.every((word) => this.wordsOf(x).includes(word)));
    if (scroll.scrollTop > 0) scroll.scrollTop += this.shown.filter((x) => x.id > newest).length * this.height;
    this.later();
  }

  failedAlone() {
    return this.parts.failed.getAttribute('aria-pressed') === 'true';
  }

  /** Returns how many exchanges there are, and how many are not shown. */
  count() {
    let said = counted(this.all.length, 'exchange');
    if (this.shown.length !== this.all.length) said = `${this.shown.length} of ${said}`;
    const older = this.all.length ? this.all[this.all.length - 1].id - 1 : 0;
    const unshown = this.all.reduce((n, x) => Object.values(x.not_shown ?? {}).reduce((sum, of) => sum + of, n), 0);
    if (unshown > 0) said += `; ${unshown.toLocaleString('en-US')} more were only counted`;
    if (older > 0 && this.all.length > 1) said += `; ${counted(older, 'older one')} only in the capture`;
    return said;
  }

  /** @param {import('./types.js').Row} x */
  wordsOf(x) {
    const words = this.words.get(x) ?? wordsOf(x);
    this.words.set(x, words);
    return words;
  }

  /** Offers in the filters what there is. */
  offer() {
    const {outcome, code, version} = this.parts;
    options(outcome, 'all', new Set(this.all.map((x) => outcomeOf(x).text)));
    options(code, 'all', new Set(this.all.map((x) => x.code ?? '')));
    options(version, 'all', new Set(this.all.map((x) => x.tls.version ?? '')));
    const failures = this.all.filter(isFailed).length;
    this.parts.failed.hidden = failures === 0 && !this.failedAlone();
    this.parts.failed.textContent = `✗ ${failures.toLocaleString('en-US')} failed`;
  }

  /** Draws in the next frame. */
  later() {
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      if (!this.held()) this.draw();
    });
  }

  draw() {
    const {scroll, rows, count} = this.parts;
    this.height ||= parseFloat(getComputedStyle(rows).getPropertyValue('--row')) * parseFloat(getComputedStyle(document.documentElement).fontSize) || 56;
    const first = Math.max(Math.floor(scroll.scrollTop / this.height) - beyond, 0);
    const last = Math.min(Math.ceil((scroll.scrollTop + scroll.clientHeight) / this.height) + beyond, this.shown.length);
    const said = this.count(); // what is read is read above, so that the frame has one layout
    if (count.textContent !== said) count.textContent = said;
    rows.style.height = `${this.shown.length * this.height}px`;
    const places = this.places(first, last);
    const spare = this.release(places.map((i) => this.shown[i]));
    this.drawn = new Map(places.map((i) => {
      const x = this.shown[i];
      const row = this.drawn.get(x.id) ?? spare.shift() ?? new Row();
      row.show(x);
      row.place(i, this.shown.length, i * this.height, x.id === this.chosen);
      return [x.id, row];
    }));
    for (const row of spare) row.li.remove();
    let next = rows.firstElementChild;
    for (const {li} of this.drawn.values()) {
      if (li === next) next = li.nextElementSibling;
      else rows.insertBefore(li, next);
    }
  }

  /**
   * Returns the places in the list that are drawn: those in sight, and that of
   * the focus, which is not lost when others come above it.
   * @param {number} first
   * @param {number} last
   */
  places(first, last) {
    const places = Array.from({length: last - first}, (_, i) => first + i);
    const [focused] = [...this.drawn].find(([, row]) => row.link === document.activeElement) ?? [0];
    const at = focused ? this.shown.findIndex((x) => x.id === focused) : -1;
    if (at >= last) places.push(at);
    else if (at >= 0 && at < first) places.unshift(at);
    return places;
  }

  /**
   * Returns the rows that are drawn and not wanted: in their places if none is
   * wanted, else taken out, so that those that are wanted need not move.
   * @param {import('./types.js').Row[]} wanted
   */
  release(wanted) {
    const ids = new Set(wanted.map((x) => x.id));
    const spare = [...this.drawn].filter(([id]) => !ids.has(id)).map(([, row]) => row);
    const focused = spare.findIndex((row) => row.link === document.activeElement);
    if (focused >= 0) spare.splice(focused, 1)[0].li.remove(); // or else the focus would be on another exchange
    if (spare.length < this.drawn.size) for (const row of spare) row.li.remove();
    return spare;
  }

  /** @param {number} id */
  choose(id) {
    this.chosen = id;
    const i = this.shown.findIndex((x) => x.id === id);
    const {scroll} = this.parts;
    if (i >= 0 && this.height) {
      const top = i * this.height;
      if (top < scroll.scrollTop) scroll.scrollTop = top;
      else if (top + this.height > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = top + this.height - scroll.clientHeight;
    }
    this.later();
  }

  /**
   * Up and down go from row to row.
   * @param {KeyboardEvent} event
   */
  key(event) {
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!step || !link) return;
    event.preventDefault();
    event.stopPropagation();
    const i = this.shown.findIndex((x) => link.getAttribute('href') === `#${x.id}`) + step;
    if (i < 0 || i >= this.shown.length) return;
    this.choose(this.shown[i].id);
    this.drawing = true; // at once, so that there is something to focus
    this.draw();
    this.drawing = false;
    /** @type {HTMLElement|null} */ (this.parts.rows.querySelector(`a[href="#${this.shown[i].id}"]`))?.focus({preventScroll: true});
    location.hash = String(this.shown[i].id);
  }
}

/**
 * Reports whether one side refused the other, or broke the connection off.
 * @param {import('./types.js').Row} x
 */
function isFailed(x) {
  return outcomeOf(x).mood === 'bad';
}

/** @param {import('./types.js').Row} x */
function wordsOf(x) {
  return [nameOf(x), outcomeOf(x).text, x.code, x.reason, x.alert?.name, x.tls.version, x.tls.cipher_suite, x.tls.group, x.tls.server_name,
    x.client.certificate, x.server.certificate, x.client.error, x.server.error, x.client_addr, x.server_addr, statusesOf(x)].join(' ').toLowerCase();
}

/**
 * Gives a filter its values, and leaves the chosen one.
 * @param {HTMLSelectElement} select
 * @param {string} all
 * @param {Set<string>} values
 */
function options(select, all, values) {
  const wanted = [...values].filter(Boolean).sort();
  if (select.value && !wanted.includes(select.value)) wanted.push(select.value);
  const have = [...select.options].slice(1).map((o) => o.value);
  if (select.options.length && wanted.join('\n') === have.join('\n')) return;
  const chosen = select.value;
  select.replaceChildren(el('option', {value: ''}, all), ...wanted.map((v) => el('option', {value: v}, v)));
  select.value = chosen;
}
