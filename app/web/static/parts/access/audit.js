/** `<gc-access-audit .query>`: what was done in the project, by whom, and what was there before and after. */

import { html, nothing } from "../../vendor/lit.js";
import { ACTIONS, describeChange, listDifferences, nameTarget, writeValue } from "../../access_words.js";
import { get } from "../../api.js";
import { Element } from "../../element.js";
import { formatTime } from "../../format.js";
import { Loader, renderEmpty } from "../../loader.js";
import { adjust, link } from "../../router.js";
import { downloadLines } from "../../saving.js";
import "../copy.js";
import { notify } from "../notice.js";

const PAGE = 50;

/** @typedef {import("../../access_words.js").Entry} Entry */

class AccessAudit extends Element {
  static properties = { query: { attribute: false }, opened: { state: true }, isSaving: { state: true } };

  constructor() {
    super();
    /** @type {Record<string, string>} of the address: `action`, `since`, `cursor` */
    this.query = {};
    /** @type {Set<Entry>} those that are unfolded */
    this.opened = new Set();
    this.isSaving = false;
    /** @type {Loader<{items: Entry[], next_cursor: string|null}>} */
    this.entries = new Loader(this, "audit log");
  }

  get filters() {
    const { action, since } = this.query;
    return { action, since };
  }

  get request() {
    return { method: "GET", path: "audit", query: { ...this.filters, cursor: this.query.cursor, limit: PAGE } };
  }

  willUpdate() {
    const { path, query } = this.request;
    this.entries.load(query, (signal) => get(path, query, signal));
  }

  render() {
    return html`${this.renderFilters()} ${this.entries.render((page) => this.renderEntries(page))}`;
  }

  renderFilters() {
    const { action = "", since = "" } = this.query;
    /** @param {string} name */
    const change = (name) => (/** @type {Event} */ event) => adjust({ [name]: /** @type {HTMLInputElement} */ (event.target).value.trim(), cursor: null });
    return html`<div class="filters">
      <label>Action
        <input type="search" name="action" list="audit-actions" maxlength="40" autocomplete="off" spellcheck="false" placeholder="series or series.delete" .value=${action} @change=${change("action")} />
      </label>
      <datalist id="audit-actions">${ACTIONS.map((one) => html`<option value=${one}></option>`)}</datalist>
      <label>Since, UTC <input type="date" name="since" .value=${since.slice(0, 10)} @change=${change("since")} /></label>
      ${action || since ? html`<a class="button quiet" href=${link("access", { tab: "audit" })}>Show all</a>` : nothing}
      <button type="button" ?disabled=${this.isSaving} @click=${this.save}>${this.isSaving ? "Exporting …" : "Export as JSON lines"}</button>
    </div>`;
  }

  /** @param {{items: Entry[], next_cursor: string|null}} page */
  renderEntries({ items, next_cursor }) {
    const { cursor } = this.query;
    if (!items.length && !cursor) return this.renderNone();
    return html`<section class="card">
        <div class="scroll" tabindex="0">
          <table>
            <caption>The newest first; times are UTC</caption>
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">Who</th>
                <th scope="col">Action</th>
                <th scope="col">Of what</th>
                <th scope="col">Before and after</th>
              </tr>
            </thead>
            <tbody>
              ${items.map((entry) => this.renderEntry(entry))}
            </tbody>
          </table>
        </div>
        <div class="chart-foot"><p class="hint">Entries are never changed. Values that are stored have none.</p><gc-copy .request=${this.request}></gc-copy></div>
      </section>
      <p class="actions">
        ${cursor ? html`<a class="button" href=${link("access", { tab: "audit", ...this.filters })}>Newest</a>` : nothing}
        ${next_cursor ? html`<a class="button" href=${link("access", { tab: "audit", ...this.filters, cursor: next_cursor })}>Older</a>` : nothing}
      </p>`;
  }

  renderNone() {
    const { action, since } = this.query;
    if (action || since) return renderEmpty("No entry is like that.", html`<p class="actions"><a class="button" href=${link("access", { tab: "audit" })}>Show all entries</a></p>`);
    return renderEmpty("Nothing was done yet: each change of settings and each deletion is written down here.", nothing);
  }

  /** @param {Entry} entry */
  renderEntry(entry) {
    const isOpen = this.opened.has(entry);
    return html`<tr>
        <td><button type="button" class="quiet unfold" aria-expanded=${isOpen} @click=${() => this.toggle(entry)}><time datetime=${entry.at} title=${entry.at}>${formatTime(entry.at)}</time><span class="hidden-text">, details of ${entry.action} ${nameTarget(entry)}</span></button></td>
        <td class="who">${entry.who}</td>
        <td><button type="button" class="link" title="Show these alone" @click=${() => adjust({ action: entry.action, cursor: null })}>${entry.action}</button></td>
        <td class="id">${nameTarget(entry)}</td>
        <td class="told" title=${describeChange(entry)}>${describeChange(entry)}</td>
      </tr>
      ${isOpen ? html`<tr class="unfolded"><td colspan="5"><div class="details">${renderDetails(entry)}</div></td></tr>` : nothing}`;
  }

  /** @param {Entry} entry */
  toggle(entry) {
    const opened = new Set(this.opened);
    if (!opened.delete(entry)) opened.add(entry);
    this.opened = opened;
  }

  /** Save all entries that fit, not only this page. */
  async save() {
    this.isSaving = true;
    try {
      await downloadLines("audit", this.filters, "audit.ndjson");
    } catch (error) {
      notify(/** @type {Error} */ (error).message);
    }
    this.isSaving = false;
  }
}

/** @param {Entry} entry */
function renderDetails({ at, key, address, request_id, before, after }) {
  return html`${before || after ? renderViews(before, after) : nothing}
    <dl class="facts">
      <dt>At</dt><dd>${at}</dd>
      ${key === null ? nothing : html`<dt>Key</dt><dd>number ${key}</dd>`}
      ${address ? html`<dt>From</dt><dd>${address}</dd>` : nothing}
      ${request_id ? html`<dt>Request</dt><dd><code>${request_id}</code></dd>` : nothing}
    </dl>`;
}

/** @param {import("../../access_words.js").View} before @param {import("../../access_words.js").View} after */
function renderViews(before, after) {
  const differences = listDifferences(before, after);
  if (!differences.length) return html`<p class="hint">What clients see of it is the same as before.</p>`;
  return html`<table class="fitting">
    <thead>
      <tr><th scope="col">Field</th>${before ? html`<th scope="col">Before</th>` : nothing}${after ? html`<th scope="col">After</th>` : nothing}</tr>
    </thead>
    <tbody>
      ${differences.map((one) => html`<tr>
        <th scope="row">${one.field}</th>
        ${before ? html`<td><code>${writeValue(one.before)}</code></td>` : nothing}
        ${after ? html`<td><code>${writeValue(one.after)}</code></td>` : nothing}
      </tr>`)}
    </tbody>
  </table>`;
}

customElements.define("gc-access-audit", AccessAudit);
