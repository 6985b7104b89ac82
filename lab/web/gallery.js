// Finds lessons in the gallery: those that have all the words.
const search = /** @type {HTMLInputElement} */ (document.getElementById('search'));
search.addEventListener('input', () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const lesson of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('.lesson'))) {
    lesson.hidden = !words.every((word) => lesson.dataset.words?.includes(word));
    if (!lesson.hidden) found++;
  }
  for (const side of document.querySelectorAll('section')) side.hidden = !side.querySelector('.lesson:not([hidden])');
  /** @type {HTMLElement} */ (document.getElementById('count')).textContent = `${found} lesson${found === 1 ? '' : 's'}`;
});
