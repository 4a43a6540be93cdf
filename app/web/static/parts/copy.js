/** `<gc-copy .request=${…}>`: buttons that copy a request as curl and as Python. */

import { html, nothing } from "../vendor/lit.js";
import { Element } from "../element.js";
import { getAccess } from "../session.js";
import { writeCurl, writePython } from "../snippet.js";
import { notify } from "./notice.js";

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
  };

  constructor() {
    super();
    /** @type {import("../snippet.js").Request|null} */
    this.request = null;
    /** whether the text stands below the buttons, too */
    this.shown = false;
    this.language = "curl";
  }

  render() {
    if (!this.request) return nothing;
    const withKey = getAccess()?.auth === "on";
    const texts = { curl: writeCurl(this.request, withKey), Python: writePython(this.request, withKey) };
    return html`<span class="buttons">
        ${Object.entries(texts).map(
          ([name, text]) => html`<button type="button" class="quiet" @click=${() => this.copy(text, name)}>Copy as ${name}</button>`,
        )}
      </span>
      ${this.shown ? html`<pre class="snippet" tabindex="0"><code>${texts[/** @type {"curl"} */ (this.language)]}</code></pre>` : nothing}`;
  }

  /** @param {string} text @param {string} name */
  copy(text, name) {
    this.language = name;
    this.requestUpdate();
    copyText(text, name);
  }
}

customElements.define("gc-copy", CopyRequest);
