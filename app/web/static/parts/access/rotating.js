/** Asking how a key is rotated: how long the secret before still works. */

import { html } from "../../vendor/lit.js";
import "../copy.js";
import { showDialog } from "./dialog.js";
import { isMaybeOwn } from "./own.js";

/** @typedef {import("../../access_words.js").Key} Key */

/** Closes the dialog with a duration, or with this for none. */
const AT_ONCE = "at once";

/** @type {[string, string][]} */
const CHOICES = [
  ["1h", "for an hour more"],
  ["24h", "for 24 hours more"],
  ["7D", "for 7 days more"],
  ["30D", "for 30 days more"],
  [AT_ONCE, "no more: it ends at once"],
];

/** @param {string} choice */
const toKeep = (choice) => (choice === AT_ONCE ? null : choice);

/** @param {Key} key @param {string} choice */
function explain(key, choice) {
  if (choice !== AT_ONCE) return "Clients can be changed one after the other: both secrets work meanwhile.";
  const own = isMaybeOwn(key) ? " This page is open with a key of this name: if it is this one, the page asks for another." : "";
  return `Whoever uses the secret is refused from the next request on.${own}`;
}

/** Ask; resolves to the body of the call, to null where a person changed their mind. @param {Key} key @returns {Promise<{keep: string|null}|null>} */
export async function askRotation(key) {
  let choice = "24h";
  const answer = await showDialog(
    `Rotate ${key.name}?`,
    ({ close, redraw }) => html`<form @submit=${(/** @type {Event} */ event) => (event.preventDefault(), close(choice))}>
      <h2>Rotate ${key.name}?</h2>
      <p>The key ${key.begins_with}… gets another secret, which is shown once. What it may do and when it expires stay as they are.</p>
      <label>The secret before works
        <select name="keep" autofocus @change=${(/** @type {Event} */ event) => ((choice = /** @type {HTMLSelectElement} */ (event.target).value), redraw())}>
          ${CHOICES.map(([keep, text]) => html`<option value=${keep} ?selected=${keep === choice}>${text}</option>`)}
        </select>
      </label>
      <p class="hint" role="status">${explain(key, choice)}</p>
      <div class="actions">
        <button class="primary">Rotate the key</button>
        <button type="button" @click=${() => close("")}>Cancel</button>
        <gc-copy .request=${{ method: "POST", path: `keys/${key.id}/rotate`, body: { keep: toKeep(choice) } }}></gc-copy>
      </div>
    </form>`,
  );
  return answer ? { keep: toKeep(answer) } : null;
}
