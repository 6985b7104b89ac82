// The scripts of the page come behind its first paint, for which there is
// enough in it. A page that is not in sight is not painted.

/** Asks for the scripts. */
function start() {
  const script = document.createElement('script');
  script.type = 'module';
  script.src = '/page.js';
  document.head.append(script);
}

if (document.hidden) start();
else requestAnimationFrame(() => setTimeout(start));
