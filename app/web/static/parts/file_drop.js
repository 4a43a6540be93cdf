/** `<gc-file-drop @files>`: where tables are dropped or picked. Fires `files` with the files as `detail`. */

import { html } from "../vendor/lit.js";
import { Element } from "../element.js";
import { DropTarget } from "./drop.js";

const ACCEPTED = ".csv,.tsv,.txt,.ndjson,.jsonl,.parquet,.arrow,.feather,.gz,.zst";

class FileDrop extends Element {
  constructor() {
    super();
    this.target = new DropTarget(this, (files) => this.give(files));
  }

  render() {
    return html`<div class="drop ${this.target.isOver ? "over" : ""}">
      <p><strong>Drop tables here</strong>, or anywhere on this page.</p>
      <button type="button" class="primary" @click=${this.open}>Choose files …</button>
      <input type="file" multiple hidden accept=${ACCEPTED} aria-label="Tables to import" @change=${this.pick} />
      <p class="hint">CSV, NDJSON, Parquet or Arrow; plain, gzip or zstd. Nothing is written before you have seen what would be.</p>
    </div>`;
  }

  open() {
    this.querySelector("input")?.click();
  }

  /** @param {Event} event */
  pick(event) {
    const input = /** @type {HTMLInputElement} */ (event.target);
    this.give([...(input.files ?? [])]);
    input.value = "";
  }

  /** @param {File[]} files */
  give(files) {
    if (files.length) this.dispatchEvent(new CustomEvent("files", { detail: files }));
  }
}

customElements.define("gc-file-drop", FileDrop);
