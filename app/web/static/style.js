/** Styles that not every view needs. */

/** @type {Map<string, Promise<void>>} */
const loaded = new Map();

/** Load a style once. @param {string} name such as `forms.css`, beside this module */
export function loadStyle(name) {
  let promise = loaded.get(name);
  if (!promise) {
    promise = new Promise((resolve) => {
      const sheet = document.createElement("link");
      sheet.rel = "stylesheet";
      sheet.href = new URL(name, import.meta.url).href;
      sheet.onload = sheet.onerror = () => resolve();
      document.head.append(sheet);
    });
    loaded.set(name, promise);
  }
  return promise;
}
