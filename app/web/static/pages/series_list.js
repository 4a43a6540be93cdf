/** All series: search, labels, and what is known of each at a glance. */

import { html, nothing } from "../vendor/lit.js";
import { call, get, inPath, post } from "../api.js";
import { View } from "../element.js";
import { formatCount } from "../format.js";
import { Loader, renderEmpty } from "../loader.js";
import { confirm } from "../parts/confirm.js";
import { DropTarget, handOver } from "../parts/drop.js";
import { notify } from "../parts/notice.js";
import { readLabels, toParameters, writeIds, writeLabels } from "../parts/selection.js";
import "../parts/series_list/labels.js";
import { renderNewcomer } from "../parts/series_list/newcomer.js";
import { renderTable } from "../parts/series_list/table.js";
import { adjust, go, link } from "../router.js";
import { may } from "../session.js";

const PAGE = 50;
const RECENT = 48;
const DELAY = 120;
/** Health is read from all values: it is asked for when the list rests. */
const REST = 400;
/** Between the cursors of the pages before, in the address. */
const BETWEEN = "~";
const PAGES_BACK = 20;

class SeriesListView extends View {
  static properties = { ...View.properties, chosen: { state: true } };

  constructor() {
    super();
    this.list = new Loader(this, "series");
    this.health = new Loader(this, "health");
    /** @type {Set<string>} */
    this.chosen = new Set();
    this.timer = 0;
    /** as it stands in the box, with a blank behind it */
    this.typed = "";
    /** the series whose health was asked for */
    this.examined = "";
    this.rest = 0;
    this.drop = may("write") ? new DropTarget(this, importFiles) : null;
  }

  get heading() {
    return "Series";
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearTimeout(this.timer);
    clearTimeout(this.rest);
  }

  willUpdate() {
    const { q = "", labels, cursor } = this.query;
    const query = { q, label: toParameters(readLabels(labels)), cursor, limit: PAGE, recent: RECENT };
    this.list.load(query, (signal) => get("series", query, signal));
  }

  updated() {
    const series = this.list.data?.items.map((/** @type {any} */ row) => row.id) ?? [];
    if (!series.length || this.list.isLoading || String(series) === this.examined) return;
    this.examined = String(series);
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.health.load(series, (signal) => post("series/health", { series }, signal)), REST);
  }

  render() {
    return html`<div class="head">
        <h1 tabindex="-1">Series</h1>
        ${may("write")
          ? html`<div class="actions">
              <a class="button" href=${link("import")}>Import a table</a>
              <a class="button" href=${link("train")}>Train a model</a>
            </div>`
          : nothing}
      </div>
      ${this.list.render((page) => this.renderPage(page))}
      ${this.drop?.isOver ? html`<div class="drop-veil"><p>Drop to see what would be imported</p></div>` : nothing}`;
  }

  /** @param {any} page */
  renderPage(page) {
    const { q, labels, cursor } = this.query;
    if (!page.items.length && !q && !labels && !cursor) return renderNewcomer(importFiles);
    return html`${this.renderFilters()}
      ${page.items.length ? this.renderTable(page) : this.renderNothing()}
      ${this.renderChosen()}`;
  }

  renderFilters() {
    const { q = "" } = this.query;
    return html`<div class="filters series-filters">
      <label class="search">
        <span class="hidden-text">Search</span>
        <input type="search" placeholder="Search ids, descriptions, labels" autocomplete="off" spellcheck="false" .value=${this.typed.trim() === q ? this.typed : q} @input=${this.type} />
      </label>
      <gc-label-filter
        .labels=${readLabels(this.query.labels)}
        @labels=${(/** @type {CustomEvent} */ event) => this.narrow({ labels: writeLabels(event.detail) })}
      ></gc-label-filter>
    </div>`;
  }

  /** @param {any} page */
  renderTable(page) {
    const health = new Map((this.health.data?.items ?? []).map((/** @type {any} */ one) => [one.series_id, one]));
    const choice = may("write") ? { ids: this.chosen, set: this.choose } : null;
    return html`<div class="card flush" aria-busy=${this.list.isLoading}>
        ${renderTable(page.items, this.health.problem ? null : health, choice, this.addLabel)}
      </div>
      ${this.renderPaging(page)}`;
  }

  /** @param {any} page */
  renderPaging(page) {
    const { cursor, back = "", ...rest } = this.query;
    const before = back ? back.split(BETWEEN) : [];
    const previous = before.pop();
    const further = { ...rest, cursor: page.next_cursor, back: [...(back ? back.split(BETWEEN) : []), ...(cursor ? [cursor] : [])].slice(-PAGES_BACK).join(BETWEEN) };
    return html`<nav class="paging" aria-label="Pages">
      ${cursor ? html`<a class="button" href=${link("series", { ...rest, cursor: previous, back: before.join(BETWEEN) })}>← Back</a>` : nothing}
      <span class="soft" role="status">${formatCount(page.items.length, "series", "series")}${cursor || page.next_cursor ? " on this page" : ""}</span>
      ${page.next_cursor ? html`<a class="button" href=${link("series", further)}>Next →</a>` : nothing}
    </nav>`;
  }

  renderNothing() {
    const clear = html`<div class="actions"><a class="button" href=${link("series")}>Show all series</a></div>`;
    return renderEmpty("No series fits this search. It looks for the text in ids, descriptions and labels (key:value); every chosen label must hold.", clear);
  }

  renderChosen() {
    if (!this.chosen.size) return nothing;
    return html`<div class="selection-bar" role="region" aria-label="Chosen series">
      <strong role="status">${formatCount(this.chosen.size, "series", "series")} chosen</strong>
      <a class="button primary" href=${link("train", { series: writeIds([...this.chosen]) })}>Train a model on ${this.chosen.size === 1 ? "it" : "these"}</a>
      <button type="button" class="danger" @click=${this.deleteChosen}>Delete …</button>
      <button type="button" class="quiet" @click=${() => (this.chosen = new Set())}>Choose none</button>
    </div>`;
  }

  /** @param {InputEvent} event */
  type(event) {
    this.typed = /** @type {HTMLInputElement} */ (event.target).value;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.narrow({}), DELAY);
  }

  /** Show the first page of what fits, by what is typed just now, too. @param {Record<string, string>} changes of the filters */
  narrow(changes) {
    const typed = this.timer ? { q: this.typed.trim() } : {};
    clearTimeout(this.timer);
    this.timer = 0;
    adjust({ ...typed, ...changes, cursor: null, back: null });
  }

  /** @param {string} key @param {string} value */
  addLabel = (key, value) => this.narrow({ labels: writeLabels({ ...readLabels(this.query.labels), [key]: value }) });

  /** @param {string[]} ids @param {boolean} isOn */
  choose = (ids, isOn) => {
    const chosen = new Set(this.chosen);
    for (const id of ids) {
      if (isOn) chosen.add(id);
      else chosen.delete(id);
    }
    this.chosen = chosen;
  };

  async deleteChosen() {
    const ids = [...this.chosen];
    const name = ids.length === 1 ? `“${ids[0]}”` : formatCount(ids.length, "series", "series");
    const isMeant = await confirm({
      title: `Delete ${name}?`,
      text: "All values and covariates go with it. Models that were trained on it stay. This cannot be undone.",
      action: `Delete ${name}`,
    });
    if (!isMeant) return;
    try {
      for (const id of ids) {
        await call("DELETE", `series/${inPath(id)}`);
        this.choose([id], false);
      }
      notify(`${name} deleted`);
    } catch (error) {
      notify(/** @type {Error} */ (error).message);
    }
    await this.list.reload();
  }
}

/** @param {File[]} files */
function importFiles(files) {
  handOver(files);
  go("import");
}

customElements.define("gc-series-list", SeriesListView);
