// Who has called the server: who is in, who was refused and why, and at which
// exercise they are, if they report it. The words are the terminal's. Roles are
// written out, as a narrow screen lays the table out as cards.

import {el, pressed} from './dom.js';

/**
 * @typedef {{exercise: string, solved?: boolean, gave_up?: boolean, hints: number, total: number}} Report
 * @typedef {{name: string, state: string, calls: number, last_seen: string, why?: string, exchange?: number, report?: Report}} Guest
 */

/** @type {Record<string, string>} how the states that are not bad are coloured */
const moods = {in: 'good', anonymous: 'odd', 'cut off': 'odd'};

export class Room {
  /**
   * @param {HTMLElement} root
   * @param {() => void} leave goes to the exchanges
   */
  constructor(root, leave) {
    this.root = root;
    this.leave = leave;
    /** @type {{summary: string, guests: Guest[], left: number}|null} null: nobody has called */
    this.now = null;
    this.summary = el('p', {role: 'status', class: 'summary'}, 'Nobody has called yet.');
    this.table = el('div', {class: 'wide'});
    this.held = pressed(this.table, () => this.draw());
    root.replaceChildren(el('h2', null, 'Room'), this.summary, this.table);
  }

  /** @param {{summary: string, guests: Guest[], left: number}} now */
  update(now) {
    this.now = now;
    this.draw();
  }

  /** Draws, if somebody looks. */
  draw() {
    const {now} = this;
    if (!now || this.root.hidden) return;
    if (this.summary.textContent !== now.summary) this.summary.textContent = now.summary;
    if (this.held()) return;
    const reports = now.guests.some((g) => g.report);
    const heads = ['Who', 'State', 'Calls', 'Last seen', ...(reports ? ['Exercise', 'Hints', 'Solved'] : [])];
    const focused = this.table.contains(document.activeElement) && document.activeElement?.textContent;
    const rows = now.guests.map((g) => this.row(g, heads));
    this.table.replaceChildren(
      el('table', {class: 'guests', role: 'table'},
        el('thead', {role: 'rowgroup'}, el('tr', {role: 'row'}, heads.map((head) => el('th', {scope: 'col', role: 'columnheader'}, head)))),
        el('tbody', {role: 'rowgroup'}, rows)),
      now.left > 0 ? el('p', {class: 'name'}, `and ${now.left} more`) : '');
    if (focused) /** @type {HTMLElement|undefined} */ ([...this.table.querySelectorAll('a')].find((a) => a.textContent === focused))?.focus({preventScroll: true});
  }

  /**
   * @param {Guest} g
   * @param {string[]} heads of its cells
   */
  row(g, heads) {
    const {report} = g;
    const cells = [
      [el('span', {class: `badge ${moods[g.state] ?? 'bad'}`}, g.state), g.why && el('p', {class: 'name'}, g.why)],
      g.calls,
      new Date(g.last_seen).toTimeString().slice(0, 8),
      report && [report.exercise, ' ', report.solved && el('span', {class: 'badge good'}, 'solved'), report.gave_up && el('span', {class: 'badge odd'}, 'given up')],
      report?.hints,
      report?.total,
    ];
    return el('tr', {role: 'row'},
      el('th', {scope: 'row', role: 'rowheader'}, g.exchange ? el('a', {href: `#${g.exchange}`, title: 'the last call', onclick: this.leave}, g.name) : g.name),
      heads.slice(1).map((head, i) => el('td', {role: 'cell', 'data-head': head}, cells[i])));
  }
}
