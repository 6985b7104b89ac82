// A message's fields beside its bytes: pointing at one lights the other.

import {el} from './dom.js';

/** Bytes that are shown at first of a long message. */
const fewBytes = 2048;

/** Bytes in a row. */
const inRow = 16;

/**
 * @typedef {import('./types.js').Field} Field
 * @typedef {{field: Field, element: HTMLElement}} Shown
 */

/**
 * Returns the fields of an alert.
 * @param {import('./types.js').AlertMessage} alert
 * @returns {Field[]}
 */
export function alertFields({level, code, name, note}) {
  return [
    {name: 'level', offset: 0, length: 1, value: level},
    {name: 'description', offset: 1, length: 1, value: `${name} (${code})`, note},
  ];
}

/**
 * Returns the fields of a message beside its bytes.
 * @param {Field[]} fields
 * @param {string} hex
 * @param {string} name
 */
export function fieldsAndBytes(fields, hex, name) {
  const bytes = toBytes(hex);
  /** @type {Shown[]} */
  const shown = [];
  const about = el('p', {class: 'about', role: 'status'}, 'Point at a field or at a byte.');
  const tree = fieldTree(fields, shown);
  const dump = hexDump(bytes, `Bytes of ${name}`);
  let kept = -1; // a field that was clicked
  let next = -1; // a byte that is revealed in the next frame; -1: none is
  const revealNext = (/** @type {number} */ byte) => {
    if (next < 0) requestAnimationFrame(() => {
      dump.reveal(next);
      next = -1;
    });
    next = byte;
  };

  const light = (/** @type {number} */ i) => {
    for (const lit of root.querySelectorAll('.lit')) lit.classList.remove('lit');
    if (i < 0) return;
    const {field, element} = shown[i];
    element.classList.add('lit');
    for (let n = field.offset; n < field.offset + field.length; n++) dump.cell(n)?.classList.add('lit');
    if (!dump.element.matches(':hover, :focus')) revealNext(field.offset);
    about.replaceChildren(el('b', null, field.name), field.value ? `: ${field.value}. ` : '. ', field.note ?? '',
      el('span', {class: 'where'}, ` ${range(field)}`));
  };
  const fieldOf = (/** @type {EventTarget|null} */ target) => {
    const at = target instanceof Element ? target.closest('[data-field], [data-byte]') : null;
    if (!(at instanceof HTMLElement)) return -1;
    if (at.dataset.field) return Number(at.dataset.field);
    return deepest(shown, Number(at.dataset.byte));
  };
  const root = el('div', {class: 'opened', onmouseover: (/** @type {Event} */ e) => {
    const i = fieldOf(e.target);
    if (i >= 0) light(i);
  }, onmouseleave: () => light(kept), onfocusin: (/** @type {Event} */ e) => light(fieldOf(e.target)), onclick: (/** @type {Event} */ e) => {
    kept = fieldOf(e.target);
    light(kept);
    const element = shown[kept]?.element;
    if (!element) return;
    if (dump.element.contains(/** @type {Node} */ (e.target))) element.scrollIntoView({block: 'nearest'});
  }},
  dump.element, el('div', {class: 'fields'}, tree));
  dump.element.addEventListener('keydown', (e) => {
    const step = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: inRow, ArrowUp: -inRow}[e.key];
    if (!step) return;
    e.preventDefault();
    e.stopPropagation();
    dump.move(step);
    light(deepest(shown, dump.at));
  });
  return el('div', null, about, root);
}

/** @param {Field} field */
function range(field) {
  if (field.length === 0) return `no byte, at ${field.offset}`;
  if (field.length === 1) return `byte ${field.offset}`;
  return `bytes ${field.offset} to ${field.offset + field.length - 1}`;
}

/**
 * The innermost field that a byte belongs to.
 * @param {Shown[]} shown
 * @param {number} byte
 */
function deepest(shown, byte) {
  let found = -1;
  shown.forEach(({field}, i) => { // parents come before what is in them
    if (field.offset <= byte && byte < field.offset + field.length) found = i;
  });
  return found;
}

/**
 * @param {Field[]} fields
 * @param {Shown[]} shown
 * @returns {HTMLElement}
 */
function fieldTree(fields, shown) {
  return el('ul', null, fields.map((field) => {
    const value = el('button', {type: 'button', class: 'field', 'data-field': shown.length},
      el('b', null, field.name), field.value ? ` ${field.value}` : '');
    shown.push({field, element: value});
    return el('li', null, value, field.fields?.length ? fieldTree(field.fields, shown) : null);
  }));
}

/**
 * Returns bytes in rows, with the characters that they are.
 * @param {number[]} bytes
 * @param {string} name
 */
export function hexDump(bytes, name) {
  /** @type {HTMLElement[]} */
  const cells = [];
  const rows = el('div', {class: 'rows'});
  const show = (/** @type {number} */ upTo) => {
    for (let start = cells.length; start < upTo; start += inRow) {
      const row = el('div', {class: 'hex-row'}, el('span', {class: 'offset'}, start.toString(16).padStart(4, '0')));
      let text = '';
      for (let i = start; i < Math.min(start + inRow, bytes.length); i++) {
        const cell = el('span', {class: 'byte', 'data-byte': i}, bytes[i].toString(16).padStart(2, '0'));
        cells.push(cell);
        row.append(cell);
        text += bytes[i] >= 0x20 && bytes[i] < 0x7f ? String.fromCharCode(bytes[i]) : '·';
      }
      row.append(el('span', {class: 'characters', 'aria-hidden': 'true'}, text));
      rows.append(row);
    }
  };
  show(Math.min(bytes.length, fewBytes));
  const more = bytes.length > fewBytes && el('button', {type: 'button', onclick: () => {
    show(bytes.length);
    if (more) more.remove();
  }}, `All ${bytes.length} bytes`);
  return {
    element: el('div', {class: 'hex', tabindex: 0, role: 'group', 'aria-label': `${name}: arrow keys go from byte to byte`}, rows, more),
    at: -1,
    /** @param {number} i */
    cell(i) {
      return cells[i];
    },
    /**
     * Scrolls to a byte, within the bytes alone.
     * @param {number} i
     */
    reveal(i) {
      const row = cells[i]?.parentElement;
      if (row) this.element.scrollTop = row.offsetTop - this.element.clientHeight / 3;
    },
    /** @param {number} step */
    move(step) {
      cells[this.at]?.classList.remove('at');
      this.at = Math.min(Math.max(this.at < 0 ? 0 : this.at + step, 0), cells.length - 1);
      cells[this.at]?.classList.add('at');
      this.reveal(this.at);
    },
  };
}

/** @param {string} hex */
export function toBytes(hex) {
  const bytes = [];
  for (let i = 0; i + 1 < hex.length; i += 2) bytes.push(parseInt(hex.slice(i, i + 2), 16));
  return bytes;
}
