/** Asking before something that cannot be undone. */

import { html, render } from "../vendor/lit.js";

/**
 * Ask in a dialog; resolves to whether the person agreed.
 * @param {{title: string, text: unknown, action: string}} question
 * @returns {Promise<boolean>}
 */
export function confirm({ title, text, action }) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-label", title);
  const close = (/** @type {string} */ value) => () => dialog.close(value);
  render(
    html`<h2>${title}</h2>
      <p>${text}</p>
      <div class="actions">
        <button type="button" class="danger" @click=${close("yes")}>${action}</button>
        <button type="button" autofocus @click=${close("")}>Keep it</button>
      </div>`,
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
