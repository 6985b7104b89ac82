// The lessons: every way that mutual TLS works or fails, to be found by what a
// program says, and run at a click.

import {el} from './dom.js';

/**
 * @typedef {{name: string, title: string, side: string, topic: string, versions: string[]|null,
 *   expect: Record<string, {rejected_by?: string, alert?: string, code?: string, status?: number}>}} Lesson
 */

/** How long somebody must have stopped typing, in milliseconds. */
const quiet = 250;

export class Lessons {
  /**
   * @param {HTMLElement} root
   * @param {(ids: number[]) => void} ran is called with the exchanges of a lesson that was run
   */
  constructor(root, ran) {
    this.root = root;
    this.ran = ran;
    this.timer = 0;
    this.search = el('input', {type: 'search', autocomplete: 'off', spellcheck: 'false', placeholder: 'certificate has expired', oninput: () => {
      clearTimeout(this.timer);
      this.timer = window.setTimeout(() => void this.find(), quiet);
    }});
    this.said = el('p', {role: 'status', class: 'said-of'});
    this.found = el('div', {class: 'found'});
    root.replaceChildren(el('label', {class: 'search'}, 'What a program says, or a word ', this.search), this.said, this.found);
  }

  /** Shows all lessons, the first time. */
  start() {
    if (this.found.firstChild || this.search.value) return;
    this.said.textContent = 'Looking …';
    void this.find();
  }

  async find() {
    try {
      const response = await fetch(`/lessons?q=${encodeURIComponent(this.search.value.trim())}`);
      if (!response.ok) throw new Error(await response.text());
      this.show(await response.json());
    } catch (error) {
      this.said.textContent = error instanceof TypeError ? 'The lab has ended.' : String(error);
    }
  }

  /** @param {Lesson[]} lessons */
  show(lessons) {
    this.said.textContent = lessons.length ? `${lessons.length} lesson${lessons.length === 1 ? '' : 's'}` : 'No lesson is about that.';
    /** @type {Map<string, Lesson[]>} */
    const sides = new Map();
    for (const lesson of lessons) sides.set(lesson.side, [...(sides.get(lesson.side) ?? []), lesson]);
    const one = this.search.value.trim() !== ''; // best first: not sorted by side
    this.found.replaceChildren(...(one ? [el('ul', null, lessons.map((l) => this.lesson(l)))]
      : [...sides].map(([side, of]) => el('section', {'aria-label': side}, el('h2', null, side), el('ul', null, of.map((l) => this.lesson(l)))))));
  }

  /** @param {Lesson} lesson */
  lesson(lesson) {
    const versions = lesson.versions ?? [];
    const buttons = versions.map((v) => this.button(v, lesson, [v]));
    if (versions.length > 1) buttons.push(this.button('Compare', lesson, versions));
    return el('li', {class: 'lesson'}, el('b', null, lesson.title), el('span', {class: 'name'}, lesson.name),
      versions.length ? el('span', {class: 'buttons'}, buttons) : el('span', {class: 'name'}, `lab scenario run ${lesson.name}`));
  }

  /**
   * @param {string} text
   * @param {Lesson} lesson
   * @param {string[]} versions
   */
  button(text, lesson, versions) {
    return el('button', {type: 'button', 'aria-label': `${text}: ${lesson.title}`, onclick: () => void this.run(lesson.name, versions)}, text);
  }

  /**
   * @param {string} name
   * @param {string[]} versions
   */
  async run(name, versions) {
    this.said.textContent = `${name} is running …`;
    try {
      const ids = [];
      for (const version of versions) {
        const response = await fetch(`/lessons/${encodeURIComponent(name)}?tls=${encodeURIComponent(version)}`, {method: 'POST'});
        if (!response.ok) throw new Error(await response.text());
        ids.push((await response.json()).id);
      }
      this.said.textContent = `${name} has run.`;
      this.ran(ids);
    } catch (error) {
      this.said.textContent = error instanceof TypeError ? 'The lab has ended.' : String(error);
    }
  }
}
