// Elements are made here and nowhere else. Text goes into text nodes: nothing
// that a peer has sent is ever read as HTML.

/**
 * @typedef {Node|string|number|null|undefined|false} Child
 * @typedef {Record<string, string|number|boolean|null|undefined|((event: Event) => unknown)>} Attributes
 */

/**
 * Returns an element with attributes and children. An attribute that is false,
 * null or undefined is left out; one that is a function is a
 * listener, by a name such as "onclick".
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes|null} [attributes]
 * @param {...(Child|Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * Returns an element of SVG.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes|null} [attributes]
 * @param {...(Child|Child[])} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

/**
 * @template {Element} E
 * @param {E} element
 * @param {Attributes|null|undefined} attributes
 * @param {(Child|Child[])[]} children
 * @returns {E}
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false || child === '') continue;
    element.append(child instanceof Node ? child : visible(String(child)));
  }
  return element;
}

/**
 * Shows what is hidden: control characters, and those that turn the direction
 * of a line or show nothing.
 * @param {string} text
 */
export function visible(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}]/gu, (c) => (c === '\n' || c === '\t' ? ' ' : '\uFFFD'));
}

/**
 * Returns the element of that id, which is in the page.
 * @param {string} id
 */
export function byID(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element #${id}`);
  return found;
}

/**
 * Reports whether somebody is typing, or uses a control that has keys of its own.
 * @param {EventTarget|null} target
 */
export function isTyping(target) {
  return target instanceof Element && target.closest('input, select, textarea') !== null;
}

/**
 * Returns what tells whether a pointer is pressed on an element: until it is
 * released nothing there may move, or the click would open something else, or
 * nothing. What has come meanwhile is drawn then.
 * @param {HTMLElement} element
 * @param {() => void} draw
 */
export function pressed(element, draw) {
  let held = false;
  element.addEventListener('pointerdown', () => {
    held = true;
  });
  for (const end of ['pointerup', 'pointercancel', 'contextmenu']) {
    window.addEventListener(end, () => {
      if (held) requestAnimationFrame(draw); // after the click
      held = false;
    });
  }
  return () => held;
}
