// The certificates of certs.yaml as a tree, with their state and the time that
// is left, and what has changed since the page first saw them.

import {el} from './dom.js';

/**
 * @typedef {{name: string, subject: string, issuer: string, ca: boolean, sans: string[], key: string,
 *   not_before?: string, not_after?: string, sha256?: string, state: string}} Listed as lab certs list --json has it
 */

export class PKI {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    /** @type {Map<string, string>} the fingerprints that were there at first, by name */
    this.first = new Map();
  }

  async load() {
    try {
      const response = await fetch('/pki');
      if (!response.ok) throw new Error(await response.text());
      this.show(await response.json());
    } catch (error) {
      this.root.replaceChildren(el('p', {class: 'empty'}, error instanceof TypeError ? 'The lab has ended.' : String(error)));
    }
  }

  /** @param {Listed[]} listed */
  show(listed) {
    const known = this.first.size > 0;
    for (const c of listed) if (!this.first.has(c.name) && !known) this.first.set(c.name, c.sha256 ?? '');
    const roots = listed.filter((c) => c.issuer === c.name || !listed.some((other) => other.name === c.issuer));
    this.root.replaceChildren(
      el('p', {class: 'said-of'}, 'certs.yaml says which there are. Edit it and run lab certs generate: what has changed is made anew, and marked here.'),
      this.tree(roots, listed),
      el('button', {type: 'button', onclick: () => void this.load()}, 'Look again'));
  }

  /**
   * @param {Listed[]} of
   * @param {Listed[]} all
   * @returns {HTMLElement}
   */
  tree(of, all) {
    return el('ul', {class: 'pki'}, of.map((c) => {
      const issued = all.filter((other) => other.issuer === c.name && other !== c);
      const before = this.first.get(c.name);
      const changed = before === undefined ? 'new' : before !== (c.sha256 ?? '') ? 'made anew' : '';
      return el('li', null, el('div', {class: `card${c.state === 'ok' ? '' : ' expired'}`},
        el('b', null, c.name), el('span', {class: 'role'}, c.ca ? 'CA' : 'certificate'),
        changed && el('span', {class: 'badge odd'}, changed),
        el('p', null, `${c.state}${c.not_after ? `, ${left(c.not_after)}` : ''}`),
        el('p', {class: 'name'}, [c.key, ...(c.sans.length ? c.sans : [c.subject])].join(' · '))),
      issued.length > 0 && this.tree(issued, all));
    }));
  }
}

/** @param {string} end */
function left(end) {
  const days = Math.floor((Date.parse(end) - Date.now()) / 86_400_000);
  return days < 0 ? `ended ${end.slice(0, 10)}` : `until ${end.slice(0, 10)}, ${days} day${days === 1 ? '' : 's'} left`;
}
