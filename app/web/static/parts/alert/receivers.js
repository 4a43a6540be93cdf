/** Who is told: webhooks with their secrets, and Alertmanagers. */

import { html, nothing } from "../../vendor/lit.js";
import { copyText } from "../copy.js";
import { startReceiver } from "./draft.js";

const MOST = 10;
const SECRET_BYTES = 32;

/** @typedef {import("./draft.js").Receiver} Receiver */

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;

/** @param {Receiver[]} receivers @param {(receivers: Receiver[]) => void} change */
export function renderReceivers(receivers, change) {
  const replace = (/** @type {number} */ index, /** @type {Partial<Receiver>} */ changes) =>
    change(receivers.map((one, other) => (other === index ? { ...one, ...changes } : one)));
  return html`${receivers.map((receiver, index) =>
      renderReceiver(receiver, index + 1, (changes) => replace(index, changes), receivers.length > 1 ? () => change(receivers.filter((_, other) => other !== index)) : null),
    )}
    ${receivers.length < MOST ? html`<button type="button" @click=${() => change([...receivers, startReceiver()])}>Add a receiver</button>` : nothing}`;
}

/** @param {Receiver} receiver @param {number} number @param {(changes: Partial<Receiver>) => void} change @param {(() => void)|null} drop */
function renderReceiver(receiver, number, change, drop) {
  const isWebhook = receiver.kind === "webhook";
  return html`<fieldset>
    <legend>Receiver ${number}</legend>
    <div class="choices">
      <label class="check"><input type="radio" name="kind-${number}" .checked=${isWebhook} @change=${() => change({ kind: "webhook" })} />Webhook</label>
      <label class="check"><input type="radio" name="kind-${number}" .checked=${!isWebhook} @change=${() => change({ kind: "alertmanager" })} />Alertmanager</label>
    </div>
    <div class="option-grid"><div class="option">
      <label>Address
        <input type="url" required maxlength="2000" pattern="https?://.+" spellcheck="false" autocomplete="off" placeholder=${isWebhook ? "https://example.org/hook" : "http://alertmanager:9093"}
          .value=${receiver.url} @input=${(/** @type {Event} */ event) => change({ url: valueOf(event) })} />
      </label>
    </div>
    ${isWebhook ? renderSecret(receiver, change) : nothing}</div>
    ${drop ? html`<button type="button" class="quiet" aria-label="Remove receiver ${number}" @click=${drop}>Remove</button>` : nothing}
  </fieldset>`;
}

/** @param {Receiver} receiver @param {(changes: Partial<Receiver>) => void} change */
function renderSecret({ url, secret, kept }, change) {
  const isKept = kept !== "" && kept === url;
  return html`<div class="option">
    <label>Secret that messages are signed with
      <input type="text" maxlength="200" spellcheck="false" autocomplete="off" ?required=${!isKept} placeholder=${isKept ? "kept as it is" : ""}
        .value=${secret} @input=${(/** @type {Event} */ event) => change({ secret: valueOf(event) })} />
    </label>
    <p class="buttons">
      <button type="button" class="quiet" @click=${() => change({ secret: makeSecret() })}>Make one</button>
      ${secret ? html`<button type="button" class="quiet" @click=${() => copyText(secret, "The secret")}>Copy it</button>` : nothing}
    </p>
    <p class="hint">${isKept ? "The service has one for this address; it is never shown again. Write another one to change it." : "Keep a copy: it is never shown again. The receiver needs it to know that a message is from here."}</p>
  </div>`;
}

/** @returns {string} 32 random bytes */
const makeSecret = () => [...crypto.getRandomValues(new Uint8Array(SECRET_BYTES))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
