"use strict";
// Theme and folded sections. All text of the data goes in as text, never as markup.

const $ = (id) => document.getElementById(id);

function make(tag, name = "", text = null) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== null) node.textContent = text;
  return node;
}

// -- theme ----------------------------------------------------------------------------------------------------------

const THEMES = ["auto", "light", "dark"];

function stored(value) {
  try { // a page opened from a file may be denied its storage
    if (value) localStorage.setItem("datagen-theme", value);
    return localStorage.getItem("datagen-theme");
  } catch { return value; }
}

function showTheme(name) {
  const theme = THEMES.includes(name) ? name : THEMES[0];
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  $("theme").textContent = `Theme: ${theme}`;
}

$("theme").addEventListener("click", () => {
  const now = document.documentElement.dataset.theme ?? "auto";
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
  stored(next);
  showTheme(next);
});
showTheme(stored());

// -- sections -------------------------------------------------------------------------------------------------------

// Opens a folded section and goes there; false if there is none.
function unfold(id) {
  const section = id ? $(id) : null;
  if (!section) return false;
  for (let at = section; at; at = at.parentElement) if (at.matches("details")) at.open = true;
  section.scrollIntoView();
  return true;
}

for (const link of document.querySelectorAll("nav a")) link.addEventListener("click", () => unfold(link.hash.slice(1)));
addEventListener("beforeprint", () => { for (const fold of document.querySelectorAll("details.fold")) fold.open = true; });
