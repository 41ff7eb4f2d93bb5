// What scrolls sideways can be reached with the keyboard.
function focusable() {
  for (const box of document.querySelectorAll("div.math, mjx-container, .bd-article table, pre")) {
    if (box.scrollWidth > box.clientWidth && !box.hasAttribute("tabindex")) box.tabIndex = 0;
  }
}
// The theme calls the bibliography a list but gives it no list items.
document.addEventListener("DOMContentLoaded", () => {
  for (const list of document.querySelectorAll(".citation-list[role=list]")) list.removeAttribute("role");
});
window.addEventListener("load", () => {
  const ready = window.MathJax?.startup?.promise ?? Promise.resolve();
  ready.then(focusable);
});
window.addEventListener("resize", focusable);
