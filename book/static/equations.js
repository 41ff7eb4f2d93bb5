// The equations in view are set first; then the others, a few at a time, so that the page
// answers meanwhile; last those that are folded. A print has them all.
if (window.MathJax) {
  const SLICE = 120;
  let waiting = [];
  const idle = () => new Promise((go) => {
    if (window.requestIdleCallback) requestIdleCallback(go, {timeout: 100});
    else setTimeout(go, 1);
  });
  // Three lists: in view, out of view, folded.
  const turns = () => {
    const lists = [[], [], []];
    const goal = !scrollY && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const top = goal ? goal.getBoundingClientRect().top : 0; // the browser goes there soon
    for (const equation of document.querySelectorAll(".math")) {
      const place = equation.getBoundingClientRect();
      const seen = place.height && place.bottom > top && place.top < top + innerHeight;
      const folded = equation.closest("details:not([open]), .toggle-hidden");
      lists[folded ? 2 : seen ? 0 : 1].push(equation);
    }
    return lists;
  };
  // Shared glyphs cost a quarter more to style.
  window.MathJax.svg = {fontCache: "none"};
  window.MathJax.startup = {
    async pageReady() {
      const [first, ...later] = turns();
      waiting = later.flat();
      await MathJax.typesetPromise(first);
      while (waiting.length) {
        await idle();
        await MathJax.typesetPromise(waiting.splice(0, SLICE));
      }
    },
  };
  addEventListener("beforeprint", () => {
    if (waiting.length) MathJax.typeset(waiting.splice(0));
  });
}
