// What scrolls sideways can be reached with the keyboard.
function focusable() {
  for (const box of document.querySelectorAll("div.math, mjx-container, .bd-article table, pre")) {
    if (box.scrollWidth > box.clientWidth && !box.hasAttribute("tabindex")) box.tabIndex = 0;
  }
}
window.addEventListener("load", () => {
  const ready = window.MathJax?.startup?.promise ?? Promise.resolve();
  ready.then(focusable);
});
window.addEventListener("resize", focusable);
