// An exercise that is worked on, beside the exchanges: what is to be reached, and
// what the last marking has found.

import {el} from './dom.js';
import {marks, markWords} from './words.js';

/**
 * @typedef {{text: string, met: boolean, missed?: string[], exchange?: number}} Step
 * @typedef {{title: string, story: string, reach: string[], hints?: string[], solved?: boolean, steps?: Step[]}} Exercise
 */

/**
 * Shows an exercise.
 * @param {HTMLElement} root
 * @param {Exercise} exercise
 */
export function showExercise(root, exercise) {
  root.hidden = false;
  const steps = exercise.steps ?? [];
  const met = steps.filter((step) => step.met).length;
  root.replaceChildren(
    el('summary', null, el('b', null, exercise.title), exercise.solved && el('span', {class: 'badge good'}, 'solved')),
    ...exercise.story.split('\n').map((paragraph) => el('p', null, paragraph)),
    el('h2', null, 'What to reach'), el('ul', {class: 'reach'}, exercise.reach.map((line) => el('li', null, line))),
    steps.length > 0 ? el('h2', null, el('span', {role: 'status'}, `Marked: ${met} of ${steps.length}`)) : el('p', {class: 'name'}, 'It is marked whenever a file is saved.'),
    el('ol', {class: 'checks'}, steps.map(stepItem)),
    ...(exercise.hints ?? []).map((hint, i) => el('p', {class: 'name'}, `Hint ${i + 1}: ${hint}`)));
}

/** @param {Step} step */
function stepItem(step) {
  const result = step.met ? 'holds' : 'fails';
  return el('li', {class: result}, el('span', {class: 'mark', role: 'img', 'aria-label': markWords[result]}, marks[result]),
    el('span', null, step.exchange ? el('a', {href: `#${step.exchange}`}, step.text) : step.text, (step.missed ?? []).map((missed) => el('p', {class: 'name'}, missed))));
}
