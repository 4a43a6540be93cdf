/** Short words about what was just done, read aloud where a reader runs. */

const SECONDS = 6;

/** @type {HTMLElement|null} */
let region = null;
let timer = 0;

/** Show words for some seconds. @param {string} text */
export function notify(text) {
  if (!region) {
    region = document.createElement("div");
    region.className = "notice";
    region.setAttribute("role", "status");
    document.body.append(region);
  }
  region.textContent = text;
  region.classList.add("shown");
  clearTimeout(timer);
  timer = setTimeout(() => region?.classList.remove("shown"), 1000 * SECONDS);
}
