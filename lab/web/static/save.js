// What can be taken along of an exchange.

import {el} from './dom.js';

/**
 * A menu of the files that an exchange can be saved as.
 * @param {import('./types.js').Detail} detail
 * @param {boolean} served there is a server, which has more of them
 * @param {() => string} picture returns the ladder as SVG
 */
export function saveMenu(detail, served, picture) {
  const name = detail.file;
  const at = `/exchanges/${detail.id}`;
  const file = (/** @type {string} */ path, /** @type {string} */ ending, /** @type {string} */ title, /** @type {string} */ about) =>
    el('li', {class: 'served'}, el('a', {href: at + path, download: name + ending}, title, el('span', {class: 'name'}, about)));
  const made = (/** @type {string} */ ending, /** @type {string} */ type, /** @type {() => string} */ text, /** @type {string} */ title, /** @type {string} */ about) =>
    el('li', null, el('button', {type: 'button', onclick: () => save(name + ending, type, text())}, title, el('span', {class: 'name'}, about)));
  const menu = el('details', {class: 'menu', onkeydown: (/** @type {Event} */ e) => {
    if (!(e instanceof KeyboardEvent) || e.key !== 'Escape' || !menu.open) return;
    e.stopPropagation();
    menu.open = false;
    menu.querySelector('summary')?.focus();
  }, onfocusout: (/** @type {Event} */ e) => {
    if (e instanceof FocusEvent && e.relatedTarget instanceof Node && !menu.contains(e.relatedTarget)) menu.open = false;
  }}, el('summary', null, 'Save'), el('ul', null,
    served && file('/page.html', '.html', 'Page', 'one file, opens anywhere'),
    detail.ladder && made('.svg', 'image/svg+xml', picture, 'Picture', 'the ladder, as SVG'),
    detail.wire && made('.json', 'application/json', () => JSON.stringify(detail.wire), 'JSON', 'as lab explain --json'),
    served && detail.capture && file('/capture.pcapng', '.pcapng', 'Capture', 'for Wireshark, encrypted'),
    served && detail.capture && file('/capture-with-keys.pcapng', '-with-keys.pcapng', 'Capture with its keys', 'whoever has it can read everything')));
  return menu;
}

/**
 * Saves a text as a file of the reader's.
 * @param {string} name
 * @param {string} type
 * @param {string} text
 */
function save(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], {type}));
  el('a', {href: url, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
