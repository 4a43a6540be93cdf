/** `<gc-import-file .upload @removed>`: one table, from its check to what to do after it was written. */

import { html, nothing } from "../../vendor/lit.js";
import { address } from "../../api.js";
import { Element } from "../../element.js";
import { formatBytes, formatSentence } from "../../format.js";
import { link } from "../../router.js";
import { getAccess } from "../../session.js";
import { copyText } from "../copy.js";
import { writeIds } from "../selection.js";
import { canMap, readColumns, renderColumns, writeColumns } from "./columns.js";
import { readOffers } from "./offers.js";
import { OPTIONS, renderOption } from "./options.js";
import { readPreview } from "./preview.js";
import { renderGuesses, renderRejected, renderReport } from "./report.js";
import { guessType } from "./sender.js";

let count = 0;

/** @type {Record<import("./upload.js").Phase, [string, string]>} look and word of the badge */
const BADGES = {
  waiting: ["", "waiting"],
  checking: ["", "checking"],
  checked: ["accent", "ready to write"],
  refused: ["bad", "not written"],
  writing: ["", "writing"],
  written: ["good", "written"],
  failed: ["bad", "not written"],
  stopped: ["", "stopped"],
};

class ImportFile extends Element {
  static properties = { upload: { attribute: false }, phase: { attribute: false }, sent: { attribute: false }, preview: { state: true } };

  constructor() {
    super();
    /** @type {import("./upload.js").Upload|null} */
    this.upload = null;
    /** @type {string} */
    this.phase = "";
    this.sent = 0;
    /** @type {import("./preview.js").Preview|null} */
    this.preview = null;
    this.name = `table-${++count}`;
    this.isOpen = false;
  }

  /** @returns {import("./upload.js").Upload} */
  get table() {
    return /** @type {import("./upload.js").Upload} */ (this.upload);
  }

  async firstUpdated() {
    this.preview = await readPreview(this.table.file);
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    if (changed.has("phase") && this.phase === "refused" && this.offers.length) this.openOption(this.offers[0].name);
  }

  get offers() {
    return this.table.problem ? readOffers(this.table.problem) : [];
  }

  /** Open the options at one of them. @param {string} name */
  async openOption(name) {
    this.isOpen = true;
    this.requestUpdate();
    await this.updateComplete;
    const field = /** @type {HTMLElement|null} */ (this.querySelector(`#${this.name}-${name}`));
    field?.focus();
    if (field instanceof HTMLInputElement) field.select();
  }

  /** @param {Record<string, string>} changes */
  set(changes) {
    this.table.set(changes);
  }

  /** Take what the service offers; columns that were named already keep their names. @param {string} name @param {string} value */
  accept(name, value) {
    const { columns = "" } = this.table.options;
    this.set({ [name]: name === "columns" ? writeColumns({ ...readColumns(columns), ...readColumns(value) }) : value });
  }

  render() {
    const { file, phase } = this.table;
    const [look, word] = BADGES[phase];
    return html`<section class="card table-card" aria-label=${file.name}>
      <div class="head">
        <h2>${file.name}</h2>
        <span class="soft">${formatBytes(file.size)}</span>
        <span class="badge ${look}">${word}</span>
        <div class="actions">
          <button type="button" class="quiet" ?disabled=${this.table.isBusy} @click=${this.takeOff} aria-label="Remove ${file.name} from the list">Remove</button>
        </div>
      </div>
      ${this.renderState()} ${phase === "written" ? nothing : html`${this.renderPreview()}${this.renderReading()}`}
    </section>`;
  }

  renderState() {
    const { phase, report } = this.table;
    if (this.table.isBusy) return this.renderProgress();
    if (phase === "refused" || phase === "failed") return this.renderRefusal();
    if (phase === "stopped") {
      const left = this.table.report ? "Some rows may be written by now; the same import again writes the rest." : "Nothing was written.";
      return html`<p>You stopped it. ${left}</p>
        <button type="button" @click=${() => this.set({})}>Check again</button>`;
    }
    if (phase === "waiting") return html`<p class="hint">It is checked when the ones before it are.</p>`;
    if (phase === "written") return html`${renderReport(report, true, this.table.file.name)}${this.renderNext()}`;
    return html`${renderReport(report, false, this.table.file.name)}${renderGuesses(report.guesses, (name) => this.openOption(name))}${this.renderWrite()}`;
  }

  renderProgress() {
    const { phase, sent } = this.table;
    const doing = phase === "writing" ? "Writing …" : "Reading every row; nothing is written …";
    const words = sent < 1 ? `Sending ${Math.floor(100 * sent)} %` : doing;
    return html`<div class="sending">
      <p role="status">${words}</p>
      <progress aria-label=${words} max="1" value=${sent < 1 ? sent : nothing}></progress>
      <button type="button" @click=${() => this.table.cancel()}>Cancel</button>
    </div>`;
  }

  renderRefusal() {
    const { problem, rest, phase, file } = this.table;
    if (!problem) return nothing;
    const bad = problem.errors.filter(({ field }) => field.startsWith("row ")).map(({ field, detail }) => ({ row: Number(field.slice(4)), detail }));
    return html`<div class="problem" role="alert">
        <strong>${phase === "failed" ? "It was not written" : "It cannot be imported like this"}</strong>
        <p>${formatSentence(problem.detail)}</p>
        ${this.renderOffers()}
      </div>
      ${this.renderRest()} ${rest ? renderRejected(rest.rejected, rest.rejected_rows, file.name) : renderRejected(bad, bad.length, file.name)}
      ${phase === "failed" ? html`<button type="button" @click=${() => this.table.write()}>Try again</button>` : nothing}`;
  }

  renderOffers() {
    const wide = this.findWideOffer();
    const offers = wide ? [] : this.offers.filter(({ value }) => value);
    if (!offers.length && !wide) return nothing;
    return html`<div class="actions">
      ${wide ? html`<button type="button" @click=${() => this.set(wide)}>Each column is a series, “${this.preview?.columns[0]}” is the time</button>` : nothing}
      ${offers.map(({ name, value }) => html`<button type="button" @click=${() => this.accept(name, value)}>Read with&nbsp;<code>${name}=${value}</code></button>`)}
    </div>`;
  }

  /** A table without ids may be one of a column a series. @returns {Record<string, string>|null} */
  findWideOffer() {
    const isOffered = this.table.problem?.detail.includes("layout=wide and columns=NAME:ds");
    const [first] = this.preview?.columns ?? [];
    return isOffered && first ? { layout: "wide", columns: `${first}:ds` } : null;
  }

  renderRest() {
    const { rest } = this.table;
    const written = rest ? rest.inserted + rest.updated : 0;
    if (!written) return nothing;
    return html`<p>
      The other ${written.toLocaleString("en")} of ${rest.rows.toLocaleString("en")} rows can be read.
      <button type="button" @click=${() => this.set({ on_error: "skip" })}>Leave the bad rows out</button>
    </p>`;
  }

  renderWrite() {
    const { report } = this.table;
    const isEmpty = !report.inserted && !report.updated;
    return html`<div class="actions">
      <button type="button" class="primary" ?disabled=${isEmpty} @click=${() => this.table.write()}>Write it</button>
      <button type="button" class="quiet" @click=${this.copy}>Copy as curl</button>
    </div>`;
  }

  renderNext() {
    const { series, series_ids: ids } = this.table.report;
    return html`<div class="actions">
      <a class="button primary" href=${link("train", { series: writeIds(ids) })}>Train a model on ${ids.length === 1 ? "it" : "these"}</a>
      ${series === 1
        ? html`<a class="button" href=${link("series/one", { id: ids[0] })}>Open ${ids[0]}</a>`
        : html`<a class="button" href=${link("series")}>See the series</a>`}
      ${series > ids.length ? html`<span class="hint">Of ${series.toLocaleString("en")} series the first ${ids.length} are chosen there; change that as you like.</span>` : nothing}
    </div>`;
  }

  renderPreview() {
    if (!this.preview) return nothing;
    return html`<details open>
      <summary>First lines</summary>
      <pre tabindex="0" aria-label="First lines of ${this.table.file.name}">${this.preview.lines.join("\n")}</pre>
    </details>`;
  }

  renderReading() {
    const { options } = this.table;
    const wanted = this.offers[0]?.name;
    const why = (/** @type {string} */ name) => (name === wanted ? this.table.problem?.errors[0]?.detail ?? this.table.problem?.detail ?? "" : "");
    const isMapped = canMap(this.preview?.columns ?? []);
    const change = (/** @type {string} */ name, /** @type {string} */ value) => this.set({ [name]: value });
    return html`<details class="options" ?open=${this.isOpen} @toggle=${(/** @type {any} */ event) => (this.isOpen = event.target.open)}>
      <summary>How it is read${Object.keys(options).length ? html` <span class="badge accent">${Object.keys(options).length} set</span>` : nothing}</summary>
      <div class="option-grid">
        ${isMapped ? renderColumns(this.preview?.columns ?? [], options.columns ?? "", this.name, why("columns"), (value) => change("columns", value)) : nothing}
        ${OPTIONS.filter(({ name }) => !isMapped || name !== "columns").map((option) =>
          renderOption(option, this.name, options[option.name] ?? "", why(option.name), change),
        )}
      </div>
    </details>`;
  }

  copy() {
    const { file, options } = this.table;
    const lines = [`curl --data-binary @${quote(file.name)}`, `-H 'Content-Type: ${guessType(file.name)}'`];
    if (getAccess()?.auth === "on") lines.push('-H "Authorization: Bearer $GATECAST_KEY"');
    copyText([...lines, quote(address("series/import", options))].join(" \\\n  "), "curl");
  }

  takeOff() {
    this.dispatchEvent(new CustomEvent("removed"));
  }
}

/** @param {string} text */
const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

customElements.define("gc-import-file", ImportFile);
