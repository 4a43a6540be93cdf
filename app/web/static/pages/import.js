/** Import: tables by drag and drop, by a dialog or pasted, each checked before anything is written. */

import { html, nothing, repeat } from "../vendor/lit.js";
import { View } from "../element.js";
import { formatCount } from "../format.js";
import { takeOver } from "../parts/drop.js";
import "../parts/file_drop.js";
import "../parts/import/file.js";
import { queue } from "../parts/import/queue.js";
import { may } from "../session.js";

class ImportView extends View {
  constructor() {
    super();
    this.pasted = 0;
  }

  get heading() {
    return "Import";
  }

  connectedCallback() {
    super.connectedCallback();
    queue.host = this;
    queue.add(takeOver());
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    queue.host = null;
  }

  render() {
    const title = html`<h1 tabindex="-1">Import tables</h1>`;
    if (!may("write")) return html`${title}<div class="empty"><p>Your key may only read. Ask who runs the service for one that may write.</p></div>`;
    const { ready, uploads } = queue;
    return html`<div class="head">
        <div>${title}<p class="sub">Each table is read and checked first; you see what would be written, then decide.</p></div>
      </div>
      <div class="import-ways">
        <gc-file-drop @files=${(/** @type {CustomEvent<File[]>} */ event) => queue.add(event.detail)}></gc-file-drop>
        ${this.renderPaste()}
      </div>
      ${ready.length > 1
        ? html`<div class="actions spaced"><button type="button" class="primary" @click=${() => queue.writeAll()}>Write all ${formatCount(ready.length, "table")}</button></div>`
        : nothing}
      ${repeat(
        uploads,
        (upload) => upload,
        (upload) => html`<gc-import-file .upload=${upload} .phase=${upload.phase} .sent=${upload.sent} @removed=${() => queue.takeOff(upload)}></gc-import-file>`,
      )}
      ${uploads.length ? nothing : renderShapes()}`;
  }

  renderPaste() {
    return html`<details class="paste" ?open=${Boolean(this.query.paste)}>
      <summary>Paste a table as text</summary>
      <form @submit=${this.paste}>
        <label>Table, with its header <textarea name="table" rows="6" required spellcheck="false" placeholder="unique_id,ds,y"></textarea></label>
        <button>Check it</button>
      </form>
    </details>`;
  }

  /** @param {SubmitEvent} event */
  paste(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const text = String(new FormData(form).get("table"));
    const ending = text.trimStart().startsWith("{") ? "ndjson" : "csv";
    queue.add([new File([text], `pasted-${++this.pasted}.${ending}`)]);
    form.reset();
  }
}

function renderShapes() {
  return html`<section class="columns shapes" aria-label="How a table may look">
    <div class="card">
      <h2>Long: a row for each value</h2>
      <pre tabindex="0" aria-label="A long table">unique_id,ds,y,temp
shop 1,2026-01-01,120,3.5
shop 1,2026-01-02,135,4.1
shop 2,2026-01-01,80,3.5</pre>
      <p class="hint">Which series, when, how much. Any other column is a covariate.</p>
    </div>
    <div class="card">
      <h2>Wide: a column for each series</h2>
      <pre tabindex="0" aria-label="A wide table">ds,shop 1,shop 2
2026-01-01,120,80
2026-01-02,135,82</pre>
      <p class="hint">Columns may have other names: you say here which is which.</p>
    </div>
  </section>`;
}

customElements.define("gc-import", ImportView);
