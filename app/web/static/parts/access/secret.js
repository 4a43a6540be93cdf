/** Showing a secret this once: it is nowhere but in the dialog, and is gone with it. */

import { html, nothing } from "../../vendor/lit.js";
import { showDialog } from "./dialog.js";

/** Show a new secret until the person says that it is kept. @param {string} title @param {string} secret @param {string} [more] what else is to be known */
export function showSecret(title, secret, more = "") {
  let said = "";
  /** @param {import("./dialog.js").Control} control @param {Event} event */
  const copy = async ({ redraw }, event) => {
    const input = /** @type {HTMLInputElement} */ (/** @type {HTMLElement} */ (event.currentTarget).closest("form")?.querySelector("input"));
    try {
      await navigator.clipboard.writeText(secret);
      said = "It is on the clipboard.";
    } catch {
      input.focus();
      input.select();
      said = "The browser did not allow copying: it is selected, so press Ctrl+C.";
    }
    redraw();
  };
  return showDialog(
    title,
    (control) => html`<form @submit=${(/** @type {Event} */ event) => (event.preventDefault(), control.close("kept"))}>
      <h2>${title}</h2>
      <p>Copy the key now: it is shown this once, and is not shown again. The service keeps a digest of it only.</p>
      <label>Key <input class="secret" name="secret" readonly autocomplete="off" spellcheck="false" .value=${secret} @focus=${selectAll} /></label>
      ${more ? html`<p>${more}</p>` : nothing}
      <p class="hint" role="status">${said}</p>
      <div class="actions">
        <button type="button" class="primary" autofocus @click=${(/** @type {Event} */ event) => copy(control, event)}>Copy the key</button>
        <button>I have kept it</button>
      </div>
    </form>`,
    true,
  );
}

/** @param {Event} event */
const selectAll = (event) => /** @type {HTMLInputElement} */ (event.target).select();
