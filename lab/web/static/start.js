// The scripts come behind the first paint, for which the page has enough
// without them. A page that is not in sight is not painted.

/** Loads the scripts. */
function start() {
  const script = document.createElement('script');
  script.type = 'module';
  script.src = '/page.js';
  document.head.append(script);
}

if (document.hidden) start();
else requestAnimationFrame(() => setTimeout(start));
