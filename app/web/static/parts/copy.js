/** `<gc-copy .request=${…}>`: buttons that copy a request as curl and as Python. */

import { html, nothing } from "../vendor/lit.js";
import { Element } from "../element.js";
import { getAccess } from "../session.js";
import { notify } from "./notice.js";

/** @typedef {"curl"|"Python"} Language */

/** @type {Language[]} */
const LANGUAGES = ["curl", "Python"];

/** Put text on the clipboard, and say so. @param {string} text @param {string} name */
export async function copyText(text, name) {
  try {
    await navigator.clipboard.writeText(text);
    notify(`${name} copied`);
  } catch {
    notify(`The browser did not allow copying; here it is: ${text}`);
  }
}

class CopyRequest extends Element {
  static properties = {
    request: { attribute: false },
    shown: { type: Boolean },
    text: { state: true },
  };

  constructor() {
    super();
    /** @type {import("../snippet.js").Request|null} */
    this.request = null;
    /** whether the text stands below the buttons, too */
    this.shown = false;
    /** @type {Language} */
    this.language = "curl";
    this.text = "";
  }

  /** @param {Map<string, unknown>} changed */
  async updated(changed) {
    if (this.shown && this.request && (changed.has("request") || changed.has("shown"))) this.text = await this.write(this.language);
  }

  render() {
    if (!this.request) return nothing;
    return html`<span class="buttons">
        ${LANGUAGES.map((language) => html`<button type="button" class="quiet" @click=${() => this.copy(language)}>Copy as ${language}</button>`)}
      </span>
      ${this.shown ? html`<pre class="snippet" tabindex="0"><code>${this.text}</code></pre>` : nothing}`;
  }

  /** @param {Language} language */
  async write(language) {
    const { writeCurl, writePython } = await import("../snippet.js");
    const withKey = getAccess()?.auth === "on";
    const request = /** @type {import("../snippet.js").Request} */ (this.request);
    return language === "curl" ? writeCurl(request, withKey) : writePython(request, withKey);
  }

  /** @param {Language} language */
  async copy(language) {
    this.language = language;
    this.text = await this.write(language);
    copyText(this.text, language);
  }
}

customElements.define("gc-copy", CopyRequest);
