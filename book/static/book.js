// What scrolls sideways can be reached with the keyboard.
function focusable(place = document) {
  const boxes = [...place.querySelectorAll("div.math, mjx-container, .bd-article table, pre")];
  // Measured all at once: a change between two measurements would lay the page out anew.
  const wide = boxes.filter((box) => box.scrollWidth > box.clientWidth && box.tabIndex < 0);
  for (const box of wide) box.tabIndex = 0;
}
// The theme calls the bibliography a list but gives it no list items.
document.addEventListener("DOMContentLoaded", () => {
  // The theme's fold of the menu has an icon and no words.
  for (const fold of document.querySelectorAll(".bd-sidebar-primary summary, .bd-sidebar summary")) {
    if (!fold.textContent.trim()) fold.setAttribute("aria-label", "Pages below");
  }
  for (const list of document.querySelectorAll(".citation-list[role=list]")) list.removeAttribute("role");
});
window.addEventListener("load", () => {
  const ready = window.MathJax?.startup?.promise ?? Promise.resolve();
  ready.then(() => focusable());
});
window.addEventListener("resize", () => focusable());
// What is folded has no width until it opens.
document.addEventListener("toggle", (event) => focusable(event.target), true);

// One button in the header opens or closes all code, and remembers it.
const FOLD = "sgdbook-code";
function remembered() {
  try { return localStorage.getItem(FOLD) === "open"; } catch { return false; }
}
function remember(open) {
  try { localStorage.setItem(FOLD, open ? "open" : "closed"); } catch { /* a private window */ }
}
document.addEventListener("DOMContentLoaded", () => {
  const folds = [...document.querySelectorAll("div.cell details.hide")];
  for (const fold of folds) {
    // MyST-NB says "Toggle hidden content" to a screen reader; the words on the page say more.
    fold.querySelector("summary").removeAttribute("aria-label");
  }
  const place = document.querySelector(".article-header-buttons");
  if (!folds.length || !place) return;
  const button = document.createElement("button");
  button.className = "fold-all";
  button.type = "button";
  function set(open) {
    for (const fold of folds) fold.open = open;
    button.setAttribute("aria-pressed", String(open));
    button.setAttribute("aria-label", open ? "Hide all code" : "Show all code");
    button.innerHTML = open ? "‹ › <span>hide code</span>" : "‹ › <span>show code</span>";
  }
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-pressed") !== "true";
    set(open);
    remember(open);
  });
  set(remembered());
  place.prepend(button);
});

// In print nothing is lost: what is folded opens before, and closes after.
let opened = [];
window.addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const box of opened) box.open = true;
  for (const box of document.querySelectorAll(".toggle-hidden")) {
    box.classList.remove("toggle-hidden");
    box.dataset.folded = "";
  }
});
window.addEventListener("afterprint", () => {
  for (const box of opened) box.open = false;
  for (const box of document.querySelectorAll("[data-folded]")) {
    box.classList.add("toggle-hidden");
    delete box.dataset.folded;
  }
});
