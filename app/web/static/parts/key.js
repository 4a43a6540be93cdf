/** `<gc-key>`: asks for a key where the service wants one. Fires `given`. */

import { html, nothing } from "../vendor/lit.js";
import { get, setKey } from "../api.js";
import { Element } from "../element.js";

/** @type {Record<string, string>} why a login did not work, by the code that the service gives */
const LOGIN_WORDS = {
  login_refused: "The login did not work. Try again.",
  login_unavailable: "The identity provider does not answer. Try again in a minute, or use a key.",
  forbidden: "Your account has no access here. Ask who runs the service for it.",
};
const LOGIN = "login:";
/** what the service says where nothing was sent: news for programs, not for people who may sign in */
const NO_KEY = "send a key";

class KeyForm extends Element {
  static properties = { why: {}, hasProvider: { state: true } };

  constructor() {
    super();
    this.why = "";
    /** whether there is an identity provider to log in with */
    this.hasProvider = false;
  }

  async connectedCallback() {
    super.connectedCallback();
    this.hasProvider = (await get("login/methods")).provider;
  }

  render() {
    const view = location.hash.startsWith("#/login") ? "" : location.hash.replace("#", "");
    return html`<form class="card narrow" @submit=${this.submit}>
      <h1 tabindex="-1">${this.hasProvider ? "Sign in, or give a key" : "This service asks for a key"}</h1>
      ${this.renderWhy()}
      ${this.hasProvider
        ? html`<p class="actions"><a class="button primary" href=${`login?view=${encodeURIComponent(view)}`}>Sign in</a></p>`
        : nothing}
      <label>Key <input name="key" type="password" required autocomplete="off" spellcheck="false" placeholder="gk_…" /></label>
      <p class="hint">It is kept in this tab until you close it. Who runs the service makes one by <code>gatecast keys create NAME</code>.</p>
      <button class=${this.hasProvider ? "" : "primary"}>Go on</button>
    </form>`;
  }

  renderWhy() {
    const words = this.why.startsWith(LOGIN) ? LOGIN_WORDS[this.why.slice(LOGIN.length)] : this.why;
    return this.hasProvider && words?.startsWith(NO_KEY) ? nothing : html`<p>${words}</p>`;
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
