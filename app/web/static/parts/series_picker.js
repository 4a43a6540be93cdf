/**
 * `<gc-series-picker .value .multiple .offersAll @change>`: which series: some by their ids, those with labels, or all.
 * Without `multiple` one series, by its id. Fires `change` with the value as `detail`.
 *
 * @typedef {{ids: string[]}|{labels: Record<string, string>}|"all"} Selection as the API takes it
 */

import { html, nothing } from "../vendor/lit.js";
import { get, inPath } from "../api.js";
import { Element } from "../element.js";
import { formatCount } from "../format.js";
import "./combobox.js";
import { countSeries, findLabels, findSeries } from "./series_search.js";

const SHOWN = 30;
/** @type {[Mode, string][]} */
const MODES = [
  ["ids", "These series"],
  ["labels", "By label"],
  ["all", "All series"],
];
let count = 0;

/** @typedef {"ids"|"labels"|"all"} Mode */

class SeriesPicker extends Element {
  static properties = {
    value: { attribute: false, hasChanged: (/** @type {unknown} */ one, /** @type {unknown} */ other) => JSON.stringify(one) !== JSON.stringify(other) },
    multiple: { attribute: false },
    offersAll: { attribute: false },
    size: { state: true },
  };

  constructor() {
    super();
    /** @type {Selection|null} */
    this.value = null;
    this.multiple = true;
    this.offersAll = true;
    this.size = "";
    this.name = `series-picker-${++count}`;
    /** @type {string[]} kept while another way to choose is tried */
    this.ids = [];
    /** @type {Record<string, string>} */
    this.labels = {};
    /** @type {AbortController|null} */
    this.controller = null;
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.controller?.abort();
  }

  /** @returns {Mode} */
  get mode() {
    if (this.value === "all") return "all";
    return this.value && "labels" in this.value ? "labels" : "ids";
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (!changed.has("value")) return;
    if (!this.value) {
      this.ids = [];
      this.labels = {};
    }
    if (this.value && this.value !== "all" && "ids" in this.value) this.ids = this.value.ids;
    if (this.value && this.value !== "all" && "labels" in this.value) this.labels = this.value.labels;
    this.measure();
  }

  async measure() {
    this.controller?.abort();
    const controller = new AbortController();
    this.controller = controller;
    if (this.mode === "ids") {
      this.size = this.ids.length ? formatCount(this.ids.length, "series", "series") : "None is chosen yet.";
      return;
    }
    if (this.mode === "labels" && !Object.keys(this.labels).length) {
      this.size = "No label is chosen yet.";
      return;
    }
    try {
      const size = await countSeries(this.mode === "all" ? {} : this.labels, controller.signal);
      if (!controller.signal.aborted) this.size = size;
    } catch (error) {
      if (!controller.signal.aborted) this.size = /** @type {Error} */ (error).message;
    }
  }

  /** @param {Selection} value */
  change(value) {
    this.value = value;
    this.dispatchEvent(new CustomEvent("change", { detail: value }));
  }

  render() {
    return html`<div class="picker" @change=${this.keepInside}>
      ${this.multiple ? this.renderModes() : nothing} ${this.mode === "ids" ? this.renderIds() : nothing}
      ${this.mode === "labels" ? this.renderLabels() : nothing}
      <p class="hint" role="status">${this.size}</p>
    </div>`;
  }

  /** The boxes' own events end here: those of the picker carry its value. @param {Event} event */
  keepInside(event) {
    event.stopPropagation();
  }

  renderModes() {
    return html`<div class="choices" role="radiogroup" aria-label="Which series">
      ${MODES.filter(([mode]) => mode !== "all" || this.offersAll).map(
        ([mode, text]) => html`<label class="check">
          <input type="radio" name=${this.name} .checked=${this.mode === mode} @click=${() => this.switchTo(mode)} />${text}
        </label>`,
      )}
    </div>`;
  }

  /** @param {Mode} mode */
  switchTo(mode) {
    if (mode === this.mode) return;
    /** @type {Record<Mode, Selection>} */
    const values = { ids: { ids: this.ids }, labels: { labels: this.labels }, all: "all" };
    this.change(values[mode]);
  }

  renderIds() {
    return html`<gc-combobox
        .label=${this.multiple ? "Add a series" : "Series"}
        .placeholder=${"Type a part of its id"}
        .search=${this.searchSeries}
        @pick=${this.addSeries}
        @erase=${() => this.ids.length && this.removeSeries(this.ids[this.ids.length - 1])}
      ></gc-combobox>
      <ul class="chips" aria-label="Chosen series">
        ${this.ids.slice(0, SHOWN).map((id) => renderChip(id, () => this.removeSeries(id)))}
        ${this.ids.length > SHOWN ? html`<li class="hint">and ${this.ids.length - SHOWN} more</li>` : nothing}
        ${this.ids.length > 1
          ? html`<li><button type="button" class="quiet" @click=${() => this.change({ ids: [] })}>Remove all</button></li>`
          : nothing}
      </ul>`;
  }

  /** @param {string} text @param {AbortSignal} signal */
  searchSeries = async (text, signal) => (await findSeries(text, signal)).filter((one) => !this.ids.includes(one.value));

  /** @param {CustomEvent<import("./combobox.js").Suggestion>} event */
  addSeries(event) {
    this.change({ ids: this.multiple ? [...this.ids, event.detail.value] : [event.detail.value] });
  }

  /** @param {string} id */
  removeSeries(id) {
    this.change({ ids: this.ids.filter((other) => other !== id) });
    this.refocus();
  }

  renderLabels() {
    return html`<gc-combobox
        .label=${"Add a label that they must have"}
        .placeholder=${"key:value"}
        .search=${findLabels}
        .hint=${"Series that get these labels later are taken along from the next training on."}
        @pick=${this.addLabel}
        @erase=${() => Object.keys(this.labels).length && this.removeLabel(/** @type {string} */ (Object.keys(this.labels).pop()))}
      ></gc-combobox>
      <ul class="chips" aria-label="Chosen labels">
        ${Object.entries(this.labels).map(([key, value]) => renderChip(`${key}: ${value}`, () => this.removeLabel(key)))}
      </ul>`;
  }

  /** @param {CustomEvent<import("./combobox.js").Suggestion>} event */
  addLabel(event) {
    const [key, value] = JSON.parse(event.detail.value);
    this.change({ labels: { ...this.labels, [key]: value } });
  }

  /** @param {string} key */
  removeLabel(key) {
    this.change({ labels: Object.fromEntries(Object.entries(this.labels).filter(([name]) => name !== key)) });
    this.refocus();
  }

  async refocus() {
    await this.updateComplete;
    /** @type {HTMLElement|null} */ (this.querySelector("gc-combobox"))?.focus();
  }
}

/** @param {string} text @param {() => void} remove */
function renderChip(text, remove) {
  return html`<li class="chip"><span>${text}</span><button type="button" aria-label="Remove ${text}" @click=${remove}>×</button></li>`;
}

/** Return a series of a selection, of which a form may suggest what suits; null where there is none. @param {Selection|null} value @param {AbortSignal} [signal] */
export async function getFirstSeries(value, signal) {
  if (!value) return null;
  if (value !== "all" && "ids" in value) return value.ids.length ? get(`series/${inPath(value.ids[0])}`, {}, signal) : null;
  const labels = value === "all" ? [] : Object.entries(value.labels);
  if (value !== "all" && !labels.length) return null;
  const page = await get("series", { label: labels.map(([key, text]) => `${key}:${text}`), limit: 1 }, signal);
  return page.items[0] ?? null;
}

customElements.define("gc-series-picker", SeriesPicker);
