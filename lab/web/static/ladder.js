// The ladder as a picture: two lifelines on one time axis, an arrow for each
// message, stretches shaded by the keys that protect them, and what each side
// knows at each moment along its own line. Keyboards and screen readers have the
// same rungs as a list of buttons.

import {el, svg} from './dom.js';
import {marks, stretchOf} from './words.js';

/**
 * @typedef {import('./types.js').Rung} Rung
 * @typedef {import('./types.js').Side} Side
 */

/** @type {Side[]} */
const sides = ['client', 'server'];

export class LadderPicture {
  /**
   * @param {import('./types.js').Ladder} ladder
   * @param {number} width in pixels
   * @param {(step: number) => void} choose is called when a rung is clicked
   */
  constructor(ladder, width, choose) {
    this.ladder = ladder;
    this.choose = choose;
    /** @type {{first: number, last: number, element: Element}[]} what belongs to some rungs */
    this.parts = [];
    /** @type {SVGGElement[]} */
    this.rungs = [];
    const style = getComputedStyle(document.body);
    this.width = Math.max(width, 280);
    this.font = parseFloat(style.fontSize);
    this.family = style.fontFamily;
    const em = this.font;
    this.line = Math.round(em * 1.3);
    this.margins = this.width >= 34 * em;
    this.sizes = this.width >= 50 * em;
    this.margin = this.margins ? Math.min(Math.max(this.width * 0.23, 8.5 * em), 17 * em) : 0;
    this.timeWidth = 4.6 * em;
    this.sizeWidth = this.sizes ? 4.6 * em : 0.6 * em;
    /** @type {Record<Side, number>} where the lifelines are */
    this.x = {client: this.margin + this.timeWidth, server: this.width - this.margin - this.sizeWidth};
    this.lane = this.x.server - this.x.client;
    this.svg = this.draw();
    this.buttons = ladder.rungs.map((rung, i) => el('button', {type: 'button', onclick: () => choose(i),
      onfocus: () => this.rungs[i].classList.add('focused'), onblur: () => this.rungs[i].classList.remove('focused')}, spoken(rung)));
    this.list = el('ol', {class: 'stops', 'aria-label': `${ladder.title}: steps`}, this.buttons.map((button) => el('li', null, button)));
  }

  draw() {
    const {ladder, x} = this;
    /** @type {{behind: Element[], lines: Element[], texts: Element[]}} from back to front */
    const {behind, lines, texts} = {behind: [], lines: [], texts: []};
    let y = this.head(texts);
    const top = y;
    /** @type {Record<Side, {from: number, y: number, bottom: number, kind: string}|null>} the belief that goes on */
    const held = {client: null, server: null};
    /** @type {{name: string, kind: string, y: number, first: number}|null} the stretch that goes on */
    let stretch = null;
    const endStretch = (/** @type {number} */ bottom, /** @type {number} */ before) => {
      if (!stretch) return;
      const band = svg('rect', {class: `stretch ${stretch.kind}`, x: x.client, y: stretch.y, width: this.lane, height: Math.max(bottom - stretch.y, 0)});
      this.belongs(band, stretch.first, before);
      behind.push(band);
      stretch = null;
    };
    const endBelief = (/** @type {Side} */ side, /** @type {number} */ bottom, /** @type {number} */ before) => {
      const belief = held[side];
      if (!belief) return;
      const bar = svg('rect', {class: `belief ${belief.kind}`, x: x[side] - 3, y: belief.y, width: 6, height: Math.max(bottom - belief.y, 0)});
      this.belongs(bar, belief.from, before);
      lines.push(bar);
    };
    const previous = {client: '', server: ''};
    /** @type {string|undefined} what the messages work towards */
    let stage = '';
    ladder.rungs.forEach((rung, i) => {
      const now = stretchOf(rung);
      const changes = rung.from && (now?.name ?? '') !== (stretch?.name ?? '');
      const begins = Boolean(rung.stage) && rung.stage !== stage;
      if (changes) endStretch(y, i - 1);
      if (changes && now) stretch = {...now, y: y + 4, first: i};
      if (begins || (changes && now)) {
        const titles = this.titles(y + 4, begins ? rung.stage ?? '' : '', changes && now ? now.name : '');
        for (const title of titles.parts) this.belongs(title, i, i);
        texts.push(...titles.parts);
        y = titles.bottom;
      }
      if (begins) stage = rung.stage;
      const box = this.box(rung);
      for (const side of sides) { // room for what the side knew until now
        const before = held[side];
        if (before && rung.beliefs[side].text !== previous[side]) y += Math.max(before.bottom - (y + box.moment), 0);
      }
      const group = this.rung(rung, i, y, box);
      texts.push(group);
      const moment = y + box.moment;
      for (const side of sides) {
        const belief = rung.beliefs[side];
        if (belief.text === previous[side]) continue;
        endBelief(side, moment, i - 1);
        held[side] = {from: i, y: moment, bottom: this.belief(texts, side, belief, moment, i), kind: belief.kind};
        previous[side] = belief.text;
      }
      y += box.height;
    });
    y += this.line;
    if (this.margins) y = Math.max(y, ...sides.map((side) => held[side]?.bottom ?? 0));
    endStretch(y - this.line / 2, ladder.rungs.length - 1);
    for (const side of sides) {
      endBelief(side, y, ladder.rungs.length - 1);
      lines.unshift(svg('line', {class: `lifeline ${side}`, x1: x[side], x2: x[side], y1: top, y2: y}));
    }
    return svg('svg', {class: 'ladder', viewBox: `0 0 ${this.width} ${y + 4}`, width: this.width, height: y + 4, 'aria-hidden': 'true'}, behind, lines, texts);
  }

  /**
   * Draws what stands over the lifelines, and returns where they begin.
   * @param {Element[]} texts
   */
  head(texts) {
    const {ends} = this.ladder;
    const room = (this.lane + this.timeWidth + this.sizeWidth) / 2 - this.font;
    const height = this.line * 1.35;
    let lines = 0;
    for (const side of sides) {
      const [role, ...name] = ends[side].split(' ');
      const half = this.textWidth(role, 'bold') / 2 + this.font * 0.8;
      const middle = Math.min(Math.max(this.x[side], half), this.width - half);
      texts.push(svg('rect', {class: `role ${side}`, x: middle - half, y: 1, width: 2 * half, height, rx: height / 2}),
        svg('text', {class: `end ${side}`, x: middle, y: 1 + height * 0.68, 'text-anchor': 'middle'}, role));
      const wrapped = name.length ? this.wrap(name.join(' '), room).slice(0, 2) : [];
      const at = side === 'client' ? {x: this.x.client - this.timeWidth + 4, 'text-anchor': 'start'} : {x: this.x.server + this.sizeWidth - 4, 'text-anchor': 'end'};
      if (this.margins) Object.assign(at, {x: this.x[side], 'text-anchor': 'middle'});
      wrapped.forEach((text, i) => texts.push(svg('text', {class: 'subject', ...at, y: height + (i + 0.95) * this.line}, text)));
      lines = Math.max(lines, wrapped.length);
      if (this.margins) {
        const x = side === 'client' ? 0 : Math.max(this.x.server + this.sizeWidth, middle + half) + this.font * 0.6;
        texts.push(svg('text', {class: 'margin-head', x, y: 1 + height * 0.68}, `The ${side} …`));
      }
    }
    return height + lines * this.line + 10;
  }

  /**
   * What the messages from here on work towards, and what protects them.
   * @param {number} y
   * @param {string} stage
   * @param {string} keys
   */
  titles(y, stage, keys) {
    const inside = this.font * 0.8;
    const room = this.lane - 2 * inside;
    const lines = stage ? this.wrap(stage, room / 0.85) : [];
    const beside = this.textWidth(stage) * 0.85 + this.textWidth(keys) * 0.8 + 3 * this.font < room;
    const rows = lines.length + (keys && (!stage || !beside) ? 1 : 0);
    /** @type {Element[]} */
    const parts = lines.map((text, n) => svg('text', {class: 'stage', x: this.x.client + inside, y: y + (n + 0.9) * this.line}, text));
    const right = this.x.server - inside;
    const at = y + (rows - 0.1) * this.line;
    if (keys) parts.push(svg('text', {class: 'stretch-name', x: right, y: at, 'text-anchor': 'end'}, keys), this.lock(right - this.textWidth(keys) * 0.8 - this.font, at));
    return {parts, bottom: y + rows * this.line};
  }

  /**
   * A padlock, with its left lower corner there.
   * @param {number} x
   * @param {number} y
   */
  lock(x, y) {
    const w = this.font * 0.58;
    const h = w * 0.72;
    return svg('path', {class: 'lock', d: `M${x} ${y - h}h${w}v${h}h${-w}zM${x + w * 0.2} ${y - h}v${-w * 0.22}a${w * 0.3} ${w * 0.3} 0 0 1 ${w * 0.6} 0v${w * 0.22}`});
  }

  /**
   * How much room a rung takes, and where in it its moment is.
   * @param {Rung} rung
   * @returns {Box}
   */
  box(rung) {
    const pad = this.font * 0.55;
    if (!rung.from) {
      const lines = this.wrap(rung.name || rung.text || '', this.lane - 3 * this.font, 'bold');
      const height = lines.length * this.line + 2 * pad;
      return {lines, scale: 1, height, moment: height / 2, below: []};
    }
    const name = rung.name || '';
    const room = this.lane - 2.5 * this.font;
    const longest = Math.max(...name.split(' ').map((word) => this.textWidth(word)), 1);
    const scale = Math.min(Math.max(room / longest, smallest), 1);
    const lines = this.wrap(name, room / scale).slice(0, 3);
    const caption = [rung.encrypted ? rung.key : '', this.sizes ? '' : rung.size].filter(Boolean).join(', ');
    const below = caption ? this.wrap(caption, room / 0.8) : [];
    const moment = pad + lines.length * this.line + 4;
    return {lines, scale, moment, below, height: moment + below.length * this.line + pad};
  }

  /**
   * @param {Rung} rung
   * @param {number} i
   * @param {number} y
   * @param {Box} box
   */
  rung(rung, i, y, box) {
    const middle = this.x.client + this.lane / 2;
    const pad = this.font * 0.55;
    /** @type {Element[]} */
    const parts = [svg('rect', {class: 'touch', x: this.x.client - this.timeWidth, y, width: this.lane + this.timeWidth + this.sizeWidth, height: box.height, rx: 4})];
    const kinds = ['rung', rung.from ?? (rung.alarm ? 'problem' : 'turn')];
    if (rung.alarm) kinds.push('alarm');
    if (rung.encrypted) kinds.push('encrypted');
    box.lines.forEach((text, n) => {
      const name = svg('text', {class: 'name', x: middle, y: y + pad + (n + 0.78) * this.line, 'text-anchor': 'middle'}, text);
      if (box.scale < 1) name.style.fontSize = `${box.scale}em`;
      parts.push(name);
    });
    if (rung.from) {
      const at = y + box.moment;
      parts.push(...this.arrow(rung, at));
      box.below.forEach((text, n) => parts.push(svg('text', {class: 'below', x: middle, y: at + this.line * (n + 0.95), 'text-anchor': 'middle'}, text)));
      if (box.below.length && rung.encrypted) parts.push(this.lock(middle - this.textWidth(box.below[0]) * 0.4 - this.font, at + this.line * 0.92));
      if (rung.time) parts.push(svg('text', {class: 'time', x: this.x.client - this.font, y: at + 4, 'text-anchor': 'end'}, rung.time));
      if (rung.size && this.sizes) parts.push(svg('text', {class: 'size', x: this.x.server + this.font, y: at + 4}, rung.size));
    } else if (!rung.alarm) {
      const half = Math.max(...box.lines.map((text) => this.textWidth(text, 'bold'))) / 2 + this.font;
      parts.splice(1, 0, svg('rect', {class: 'pill', x: middle - half, y: y + pad * 0.4, width: 2 * half, height: box.height - pad * 0.8, rx: this.font * 0.7}));
      for (const [from, to] of [[this.x.client, middle - half], [middle + half, this.x.server]]) {
        if (to > from) parts.push(svg('line', {class: 'dots', x1: from, x2: to, y1: y + box.moment, y2: y + box.moment}));
      }
    }
    const group = svg('g', {class: kinds.join(' '), onclick: () => this.choose(i)}, parts);
    this.rungs.push(group);
    this.belongs(group, i, i);
    return group;
  }

  /**
   * @param {Rung} rung
   * @param {number} y
   */
  arrow(rung, y) {
    const right = rung.from === 'client';
    const result = resultOf(rung);
    const radius = result ? this.font * 0.62 : 2;
    const back = right ? -1 : 1;
    const from = right ? this.x.client + 5 : this.x.server - 5;
    const end = right ? this.x.server : this.x.client;
    const to = end + back * (radius + 3);
    const gap = rung.encrypted ? 1.8 : 0;
    const shafts = (gap ? [-gap, gap] : [0]).map((d) => svg('line', {class: 'shaft', x1: from, x2: to + back * 8, y1: y + d, y2: y + d}));
    /** @type {Element[]} */
    const parts = [...shafts, svg('path', {class: 'tip', d: `M${to} ${y}l${back * 12} -6v12z`})];
    if (result) {
      parts.push(svg('circle', {class: `check ${result}`, cx: end, cy: y, r: radius}),
        svg('text', {class: 'check-mark', x: end, y: y + this.font * 0.3, 'text-anchor': 'middle'}, marks[result]));
    }
    return parts;
  }

  /**
   * Draws what a side knows from a moment on, and returns where the text ends.
   * @param {Element[]} texts
   * @param {Side} side
   * @param {import('./types.js').Belief} belief
   * @param {number} y
   * @param {number} i
   */
  belief(texts, side, belief, y, i) {
    if (!this.margins) return y;
    const x = side === 'client' ? 0 : this.x.server + this.sizeWidth + this.font * 0.6;
    const lines = this.wrap(belief.text, this.margin - this.font);
    const spans = lines.map((text, n) => svg('tspan', {x, dy: n ? this.line : 0}, text));
    const text = svg('text', {class: `margin ${belief.kind}`, x, y: y + 4}, spans);
    this.belongs(text, i, i);
    texts.push(text);
    return y + lines.length * this.line + 6;
  }

  /**
   * Notes that an element is drawn with the rungs from first to last.
   * @param {Element} element
   * @param {number} first
   * @param {number} last
   */
  belongs(element, first, last) {
    this.parts.push({element, first, last});
  }

  /**
   * Shows a step: what comes later is faint. -1: all is shown.
   * @param {number} step
   */
  mark(step) {
    for (const {element, first} of this.parts) element.classList.toggle('later', step >= 0 && first > step);
    this.rungs.forEach((rung, i) => rung.classList.toggle('now', i === step));
    this.buttons.forEach((button, i) => {
      button.tabIndex = i === Math.max(step, 0) ? 0 : -1; // the arrow keys go on from there
      if (i === step) button.setAttribute('aria-current', 'step');
      else button.removeAttribute('aria-current');
    });
  }

  /** The picture as a file of its own, with the colours that it has now. */
  file() {
    const copy = /** @type {SVGElement} */ (this.svg.cloneNode(true));
    copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
    const from = [this.svg, ...this.svg.querySelectorAll('*')];
    [copy, ...copy.querySelectorAll('*')].forEach((element, i) => {
      const style = getComputedStyle(from[i]);
      for (const name of kept) {
        const value = style.getPropertyValue(name);
        if (value) element.setAttribute(name, value);
      }
      element.removeAttribute('class');
    });
    const paper = svg('rect', {width: '100%', height: '100%', fill: getComputedStyle(document.body).backgroundColor});
    copy.prepend(paper);
    return new XMLSerializer().serializeToString(copy);
  }

  /**
   * @param {string} text
   * @param {string} [weight]
   */
  textWidth(text, weight = 'normal') {
    context.font = `${weight} ${this.font}px ${this.family}`;
    return context.measureText(text).width;
  }

  /**
   * Breaks a text into lines of at most that width, and words that are longer
   * behind a _ or before a capital where they have one.
   * @param {string} text
   * @param {number} width
   * @param {string} [weight]
   */
  wrap(text, width, weight) {
    const lines = [''];
    for (const word of text.split(' ')) {
      const line = lines[lines.length - 1];
      if (line && this.textWidth(`${line} ${word}`, weight) <= width) {
        lines[lines.length - 1] = `${line} ${word}`;
        continue;
      }
      if (line) lines.push('');
      let rest = word;
      while (rest.length > 1 && this.textWidth(rest, weight) > width) {
        let fits = rest.length - 1;
        while (fits > 1 && this.textWidth(rest.slice(0, fits), weight) > width) fits--;
        const seam = rest.slice(0, fits + 1).search(/(?<=_)[^_]+$|(?<=[a-z])[A-Z][^A-Z]*$/);
        if (seam > 0) fits = seam;
        lines[lines.length - 1] = rest.slice(0, fits);
        lines.push('');
        rest = rest.slice(fits);
      }
      lines[lines.length - 1] = rest;
    }
    return lines;
  }
}

/**
 * Where the texts of a rung are: its name, that much smaller than others so that
 * its longest word fits, and below the arrow what protects it.
 * @typedef {{lines: string[], scale: number, height: number, moment: number, below: string[]}} Box
 */

/** How small a name may become. */
const smallest = 0.7;

/** The properties that a picture needs without the style sheet. */
const kept = ['fill', 'stroke', 'stroke-width', 'stroke-dasharray', 'opacity', 'font-family', 'font-size', 'font-weight', 'font-style'];

const context = /** @type {CanvasRenderingContext2D} */ (document.createElement('canvas').getContext('2d'));

/**
 * What came of the checks of a rung, the worst of them; null: there is nothing to check.
 * @param {Rung} rung
 */
function resultOf(rung) {
  /** @type {import('./types.js').Result[]} */
  const worst = ['fails', 'unknown', 'holds'];
  return worst.find((result) => rung.checks?.some((c) => c.result === result)) ?? null;
}

/**
 * A rung as a screen reader says it.
 * @param {Rung} rung
 */
export function spoken(rung) {
  if (!rung.from) return rung.name || rung.text || '';
  const how = rung.encrypted ? `encrypted with the ${rung.key}` : 'not encrypted';
  return [rung.time, `from the ${rung.from}`, rung.name, rung.size, how].filter(Boolean).join(', ');
}
