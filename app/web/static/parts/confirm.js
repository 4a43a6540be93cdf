/** Asking before something that cannot be undone. */

import { html, nothing, render } from "../vendor/lit.js";

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {unknown} text what happens then
 * @property {string} action words of the button that does it
 * @property {boolean} [isHarmless] whether it can be undone
 * @property {string} [name] to be typed before the button does anything
 */

/** Ask in a dialog; resolves to whether the person agreed. @param {Question} question @returns {Promise<boolean>} */
export function confirm({ title, text, action, isHarmless = false, name = "" }) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-label", title);
  const agree = (/** @type {Event} */ event) => {
    event.preventDefault();
    dialog.close("yes");
  };
  const check = (/** @type {Event} */ event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    input.setCustomValidity(input.value === name ? "" : `Type ${name}`);
  };
  render(
    html`<form @submit=${agree}>
      <h2>${title}</h2>
      <p>${text}</p>
      ${name
        ? html`<label><span>Type <strong>${name}</strong> to go on</span> <input name="name" required autofocus autocomplete="off" spellcheck="false" @input=${check} /></label>`
        : nothing}
      <div class="actions">
        <button class=${isHarmless ? "primary" : "danger"}>${action}</button>
        <button type="button" ?autofocus=${!name} @click=${() => dialog.close("")}>Keep it</button>
      </div>
    </form>`,
    dialog,
  );
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    dialog.showModal();
  });
}
