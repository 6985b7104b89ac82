// The page: the list, the exchange that is chosen, and the stream that brings
// more.

import {byID, isTyping} from './dom.js';
import {ExchangeView} from './exchange.js';
import {showExercise} from './exercise.js';
import {Lessons} from './lessons.js';
import {List} from './list.js';
import {PKI} from './pki.js';
import {Room} from './room.js';

/** @typedef {{title?: string, rows: import('./types.js').Row[], details: Record<string, import('./types.js').Detail>}} Embedded */

const live = document.body.dataset.live === 'true';
const dataElement = document.getElementById('data');
/** @type {Embedded|null} what a file has in it; null: there is a server */
const embedded = dataElement ? JSON.parse(dataElement.textContent ?? '') : null;

const list = new List({
  scroll: byID('scroll'),
  rows: byID('rows'),
  count: byID('count'),
  failed: byID('failed'),
  search: /** @type {HTMLInputElement} */ (byID('search')),
  outcome: /** @type {HTMLSelectElement} */ (byID('by-outcome')),
  code: /** @type {HTMLSelectElement} */ (byID('by-code')),
  version: /** @type {HTMLSelectElement} */ (byID('by-version')),
});
const view = new ExchangeView(byID('exchange'));
const pki = new PKI(document.getElementById('pki'), document.getElementById('pki-tab'));
const roomTab = document.getElementById('room-tab');
const room = roomTab && new Room(byID('room'), () => byID('exchanges-tab').click());

let last = 0; // the newest exchange that has come
let shown = ''; // what is shown: an exchange, or two, as in the address

/**
 * @param {string} text
 * @param {string} kind
 */
function say(text, kind) {
  const state = byID('state');
  state.textContent = text;
  state.className = kind;
}

/** @param {import('./types.js').Row[]} rows the newest last */
function take(rows) {
  rows = whole(rows).filter((x) => x.id > last);
  if (!rows.length) return;
  last = rows[rows.length - 1].id;
  list.add(rows);
  view.offer(list.all);
  if (!shown && !location.hash) void show(String(last));
}

/**
 * Returns rows with what they have in common with an earlier one, which comes
 * with that alone.
 * @param {import('./types.js').Row[]} rows
 */
function whole(rows) {
  /** @type {Map<number, import('./types.js').Row>} */
  const kinds = new Map();
  return rows.map((x) => {
    if (x.like) return {...kinds.get(x.like), ...x};
    kinds.set(x.id, x);
    return x;
  });
}

/** @param {string} what an id, or two: "3+4" */
async function show(what) {
  shown = what;
  const ids = what.split('+').map(Number);
  list.choose(ids[0]);
  document.querySelector('#exchange > .empty')?.replaceChildren('Loading …');
  try {
    const details = await Promise.all(ids.map(detailOf));
    if (shown !== what) return;
    if (details.length > 1) view.compare(details[0], details[1]);
    else view.show(details[0]);
  } catch (error) {
    if (shown === what) view.fail(error instanceof Error ? error.message : String(error));
  }
}

/** @type {Map<number, Promise<import('./types.js').Detail>>} what was fetched, the latest last */
const fetched = new Map();

/** How many exchanges are kept as a whole, so that they are there when the lab has ended. */
const mostFetched = 30;

/**
 * @param {number} id
 * @returns {Promise<import('./types.js').Detail>}
 */
function detailOf(id) {
  if (embedded) return Promise.resolve(embedded.details[id]);
  const detail = fetched.get(id) ?? fetchDetail(id);
  fetched.delete(id); // it is the latest now
  fetched.set(id, detail);
  detail.catch(() => fetched.delete(id));
  for (const oldest of [...fetched.keys()].slice(0, -mostFetched)) fetched.delete(oldest);
  return detail;
}

/**
 * @param {number} id
 * @returns {Promise<import('./types.js').Detail>}
 */
async function fetchDetail(id) {
  const response = await fetch(`/exchanges/${id}`).catch(() => {
    throw new Error('The lab has ended, and what is asked for was not looked at before: lab explain tells it from the capture, lab scenario run NAME runs a lesson again.');
  });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

/** Fetches the latest exchanges, which the lab still has for a moment. */
function keepLatest() {
  for (const x of list.all.slice(0, mostFetched / 2).reverse()) detailOf(x.id).catch(() => {});
}

/** Listens for exchanges. A page that is not in sight does not. */
function listen() {
  /** @type {EventSource|null} */
  let source = null;
  let ended = false;
  const open = () => {
    if (source || ended) return;
    source = new EventSource(`/events?after=${last}`);
    source.addEventListener('open', () => say(live ? 'Live' : '', 'live'));
    source.addEventListener('exchanges', (event) => take(JSON.parse(event.data)));
    source.addEventListener('pki', (event) => pki.update(JSON.parse(event.data)));
    source.addEventListener('room', (event) => room?.update(JSON.parse(event.data)));
    source.addEventListener('exercise', (event) => showExercise(byID('exercise'), JSON.parse(event.data)));
    source.addEventListener('ended', () => {
      ended = true;
      close();
      document.body.classList.toggle('ended', live);
      if (live) keepLatest();
      say(live ? 'The lab has ended. The list stays, and what was looked at last.' : '', 'ended');
      if (!last) view.fail('There is no exchange here.');
    });
    source.addEventListener('error', () => say('The lab does not answer: it has ended, or is busy.', 'lost'));
  };
  const close = () => {
    source?.close();
    source = null;
  };
  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
  open();
}

/** Shows what the address names. */
function route() {
  const what = location.hash.slice(1);
  if (/^\d+(\+\d+)?$/.test(what) && what !== shown) void show(what);
}

/** Connects the tabs that there are, and fills each when it is opened. */
function connectTabs() {
  const tabs = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[role="tab"]'));
  const lessons = document.getElementById('lessons-tab') && new Lessons(byID('lessons'), (ids) => {
    location.hash = ids.join('+');
    byID('exchange').focus({preventScroll: true}); // where space plays, in place of running the lesson again
  });
  /** @type {Record<string, () => void>} */
  const fill = {lessons: () => lessons?.start(), pki: () => pki.seen(), room: () => room?.draw(), exchanges: () => list.later()};
  const open = (/** @type {HTMLElement} */ chosen) => {
    for (const tab of tabs) {
      tab.setAttribute('aria-selected', String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      byID(tab.getAttribute('aria-controls') ?? '').hidden = tab !== chosen;
    }
    enterRoom(chosen === roomTab);
    fill[chosen.getAttribute('aria-controls') ?? '']?.();
  };
  tabs.forEach((tab, i) => {
    tab.addEventListener('click', () => open(tab));
    tab.addEventListener('keydown', (event) => {
      const step = {ArrowRight: 1, ArrowLeft: tabs.length - 1}[event.key];
      if (!step) return;
      event.stopPropagation();
      const next = tabs[(i + step) % tabs.length];
      next.focus();
      open(next);
    });
  });
  if (lessons) view.run = (name, version) => void lessons.run(name, [version]);
}

/**
 * Shows the room in place of the exchange that is chosen.
 * @param {boolean} inside
 */
function enterRoom(inside) {
  document.body.classList.toggle('in-room', inside);
  byID('exchange').hidden = inside;
  const skip = document.querySelector('.skip');
  skip?.setAttribute('href', inside ? '#room' : '#exchange');
  skip?.replaceChildren(inside ? 'Skip to the room' : 'Skip to the exchange');
}

/** @type {['auto', 'light', 'dark']} */
const themes = ['auto', 'light', 'dark'];

/** @param {string} theme */
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byID('theme').textContent = {auto: 'Theme: system', light: 'Theme: light', dark: 'Theme: dark'}[theme] ?? '';
  remember('theme', theme);
  view.redraw();
}

/** @param {boolean} on */
function present(on) {
  document.body.classList.toggle('presenting', on);
  byID('present').setAttribute('aria-pressed', String(on));
  view.present(on);
  // On the button, the space that plays would end the presentation.
  if (on && document.activeElement === byID('present')) byID('exchange').focus({preventScroll: true});
}

/** @param {boolean} open */
function openList(open) {
  document.body.classList.toggle('no-list', !open);
  byID('list-button').setAttribute('aria-expanded', String(open));
  list.later();
  view.redraw();
}

/**
 * @param {string} key
 * @param {string} value
 */
function remember(key, value) {
  try {
    localStorage.setItem(`lab-${key}`, value);
  } catch { /* a file from disk may not */ }
}

/** @param {string} key */
function remembered(key) {
  try {
    return localStorage.getItem(`lab-${key}`);
  } catch {
    return null;
  }
}

/** @param {KeyboardEvent} event */
function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  switch (event.key) {
    case 'p':
      return present(!document.body.classList.contains('presenting'));
    case 't':
      return setTheme(themes[(themes.findIndex((t) => t === document.documentElement.dataset.theme) + 1) % 3]);
    case '/':
      event.preventDefault();
      openList(true);
      return byID('search').focus();
    case 'Escape':
      if (document.body.classList.contains('presenting')) return present(false);
      view.stop();
      return view.go(-1);
  }
  view.key(event);
}

document.addEventListener('keydown', key);
byID('present').addEventListener('click', () => present(!document.body.classList.contains('presenting')));
byID('theme').addEventListener('click', () => setTheme(themes[(themes.findIndex((t) => t === document.documentElement.dataset.theme) + 1) % 3]));
byID('list-button').addEventListener('click', () => openList(document.body.classList.contains('no-list')));
window.addEventListener('hashchange', route);

setTheme(remembered('theme') ?? 'auto');
if (document.querySelector('[role="tab"]')) connectTabs();
view.served = !embedded;
if (location.search) history.replaceState(null, '', '/' + location.hash); // the token is in the cookie by now
if (embedded) {
  take(embedded.rows);
  if (embedded.rows.length < 2 && !document.querySelector('.about-lesson')) openList(false);
  if (!embedded.rows.length) {
    document.body.classList.add('only-words');
    view.fail('This lesson never reaches the wire: nothing is sent in it.');
  }
} else {
  listen();
}
route();
