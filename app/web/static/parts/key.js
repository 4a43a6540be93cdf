/** `<gc-key>`: asks for a key where the service wants one. Fires `given`. */

import { html } from "../vendor/lit.js";
import { setKey } from "../api.js";
import { Element } from "../element.js";

class KeyForm extends Element {
  static properties = { why: {} };

  constructor() {
    super();
    this.why = "";
  }

  render() {
    return html`<form class="card narrow" @submit=${this.submit}>
      <h1 tabindex="-1">This service asks for a key</h1>
      <p>${this.why}</p>
      <label>Key <input name="key" type="password" required autocomplete="off" spellcheck="false" placeholder="gk_…" /></label>
      <p class="hint">It is kept in this tab until you close it. Who runs the service makes one by <code>gatecast keys create NAME</code>.</p>
      <button class="primary">Go on</button>
    </form>`;
  }

  /** @param {SubmitEvent} event */
  submit(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    setKey(String(new FormData(form).get("key")).trim());
    this.dispatchEvent(new CustomEvent("given"));
  }
}

customElements.define("gc-key", KeyForm);
