// The certificates of certs.yaml as a tree, with their state and the time that
// is left, and what has changed since the page first saw them.

import {el} from './dom.js';
import {counted} from './words.js';

/**
 * @typedef {{name: string, subject: string, issuer: string, ca: boolean, sans: string[], key: string,
 *   not_before?: string, not_after?: string, sha256?: string, state: string}} Listed as lab certs list --json has it
 */

/** @type {[string, (c: Listed) => string][]} what of a certificate is compared */
const mayChange = [
  ['state', (c) => c.state], ['subject', (c) => c.subject], ['issuer', (c) => c.issuer], ['names', (c) => c.sans.join(', ')], ['key', (c) => c.key],
  ['valid from', (c) => moment(c.not_before)], ['valid until', (c) => moment(c.not_after)],
];

export class PKI {
  /**
   * @param {HTMLElement|null} root null: the page does not show it
   * @param {HTMLElement|null} tab that opens it
   */
  constructor(root, tab) {
    this.root = root;
    this.tab = tab;
    /** @type {Map<string, Listed>|null} those that were there at first, by name */
    this.first = null;
    /** @type {Listed[]} */
    this.listed = [];
  }

  /** @param {{listed: Listed[], error?: string}} now */
  update(now) {
    if (now.error) return this.show(now.error);
    const before = this.listed;
    this.listed = now.listed;
    this.first ??= new Map(now.listed.map((c) => [c.name, c]));
    if (before.length && this.root?.hidden) this.tab?.classList.add('news');
    this.show('');
  }

  /** Somebody looks. */
  seen() {
    this.tab?.classList.remove('news');
  }

  /** @param {string} error why they cannot be listed now */
  show(error) {
    const all = this.listed;
    const gone = [...this.first?.values() ?? []].filter((c) => !all.some((other) => other.name === c.name));
    const roots = all.filter((c) => c.issuer === c.name || !all.some((other) => other.name === c.issuer));
    const changes = all.filter((c) => this.changeOf(c)).length + gone.length;
    this.root?.replaceChildren(
      el('p', {class: 'said-of'}, 'As certs.yaml says. Edit it and run ', el('code', null, 'lab certs generate'), ': what is made anew changes here.'),
      el('p', {role: 'status', class: 'changes'}, error || (changes ? `${counted(changes, 'change')} since the page was opened` : '')),
      this.tree(roots, all),
      ...gone.map((c) => el('div', {class: 'card absent'}, el('b', null, c.name), el('span', {class: 'badge odd'}, 'gone'))));
  }

  /**
   * @param {Listed[]} of
   * @param {Listed[]} all
   * @returns {HTMLElement}
   */
  tree(of, all) {
    return el('ul', {class: 'pki'}, of.map((c) => {
      const issued = all.filter((other) => other.issuer === c.name && other !== c);
      const changed = this.changeOf(c);
      return el('li', null, el('div', {class: `card${c.state === 'ok' ? '' : ' expired'}${changed ? ' changed' : ''}`},
        el('b', null, c.name), el('span', {class: 'role'}, c.ca ? 'CA' : 'certificate'),
        changed && el('span', {class: 'badge odd'}, changed),
        el('p', null, `${c.state}${c.not_after ? `, ${left(c.not_after)}` : ''}`),
        el('p', {class: 'name'}, [c.key, ...(c.sans.length ? c.sans : [c.subject])].join(' · ')),
        changed && this.differences(c)),
      issued.length > 0 && this.tree(issued, all));
    }));
  }

  /**
   * @param {Listed} c
   * @returns {''|'new'|'made anew'|'changed'}
   */
  changeOf(c) {
    const before = this.first?.get(c.name);
    if (!before) return 'new';
    if ((before.sha256 ?? '') !== (c.sha256 ?? '')) return before.sha256 ? 'made anew' : 'new';
    return mayChange.some(([, of]) => of(before) !== of(c)) ? 'changed' : '';
  }

  /**
   * What is not as it was.
   * @param {Listed} c
   */
  differences(c) {
    const before = this.first?.get(c.name);
    const lines = before ? mayChange.filter(([, of]) => of(before) !== of(c)).map(([name, of]) => [name, of(before), of(c)]) : [];
    return lines.length > 0 && el('ul', {class: 'differences'}, lines.map(([name, was, is]) =>
      el('li', null, el('span', {class: 'name'}, name), ' ', was && el('del', null, was), was && ' → ', is ? el('ins', null, is) : 'none')));
  }
}

/** @param {string|undefined} time */
function moment(time) {
  return time ? time.replace('T', ' ').replace('Z', '') : '';
}

/** @param {string} end */
function left(end) {
  const days = Math.floor((Date.parse(end) - Date.now()) / 86_400_000);
  return days < 0 ? `ended ${end.slice(0, 10)}` : `until ${end.slice(0, 10)}, ${counted(days, 'day')} left`;
}
