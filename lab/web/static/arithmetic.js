// The arithmetic of a handshake: the key schedule as a tree, with the values of
// this connection, and what its signatures and Finished cover.

import {el} from './dom.js';

/** @typedef {import('./types.js').Term} Term */

/**
 * @param {Term[]} terms
 * @param {(() => Promise<Term[]>)|null} secrets fetches them with their secrets; null: nobody has these
 */
export function arithmetic(terms, secrets) {
  const tree = el('div', null, treeOf(terms));
  const said = el('span', {role: 'status'});
  const show = secrets && el('button', {type: 'button', onclick: async () => {
    try {
      tree.replaceChildren(treeOf(await secrets()));
      show?.remove();
      said.textContent = 'With these, anybody can read what was recorded of this connection.';
    } catch (error) {
      said.textContent = error instanceof Error ? error.message : String(error);
    }
  }}, 'Show the secrets');
  return el('details', {class: 'arithmetic'}, el('summary', null, 'Show the arithmetic'),
    el('p', {class: 'facts'}, 'How the keys of this connection come about, and what its signatures and checksums cover. ', said), show, tree);
}

/**
 * @param {Term[]} terms
 * @returns {HTMLElement}
 */
function treeOf(terms) {
  return el('ul', null, terms.map((term) => el('li', null, el('b', null, term.name), term.how ? ` = ${term.how}` : '',
    term.value ? el('code', null, term.value) : term.secret && !term.note ? el('span', {class: 'name'}, ' (secret)') : '',
    term.note ? el('span', {class: 'name'}, ` ${term.note}`) : '', term.terms?.length ? treeOf(term.terms) : '')));
}
