/** `<gc-label-filter .labels @labels>`: labels that must hold, as buttons; those that do not fit are searched. Fires `labels`. */

import { html, nothing } from "../../vendor/lit.js";
import { get } from "../../api.js";
import { Element } from "../../element.js";
import { Loader } from "../../loader.js";
import "../combobox.js";
import { findLabels } from "../series_search.js";

const SHOWN = 12;

class LabelFilter extends Element {
  static properties = { labels: { attribute: false } };

  constructor() {
    super();
    /** @type {Record<string, string>} */
    this.labels = {};
    this.known = new Loader(this, "labels");
  }

  connectedCallback() {
    super.connectedCallback();
    this.known.load("labels", (signal) => get("labels", { limit: SHOWN }, signal));
  }

  render() {
    const items = this.known.data?.items ?? [];
    const chosen = Object.entries(this.labels).filter(([key, value]) => !items.some((/** @type {any} */ one) => one.key === key && one.value === value));
    if (!items.length && !chosen.length) return nothing;
    return html`<div class="label-filter" role="group" aria-label="Labels that must hold">
      ${chosen.map(([key, value]) => this.renderButton(key, value))}
      ${items.map((/** @type {any} */ one) => this.renderButton(one.key, one.value, one.series))}
      ${this.known.data?.next_cursor
        ? html`<gc-combobox .label=${"Other labels"} .placeholder=${"key:value"} .search=${findLabels} @pick=${this.pick}></gc-combobox>`
        : nothing}
    </div>`;
  }

  /** @param {string} key @param {string} value @param {number|null} [series] */
  renderButton(key, value, series = null) {
    const isOn = this.labels[key] === value;
    return html`<button type="button" class="tag" aria-pressed=${isOn} @click=${() => this.toggle(key, value, !isOn)}>
      <span class="soft">${key}</span> ${value} ${series === null ? nothing : html`<span class="soft">${series.toLocaleString("en")}</span>`}
    </button>`;
  }

  /** @param {CustomEvent<import("../combobox.js").Suggestion>} event */
  pick(event) {
    const [key, value] = JSON.parse(event.detail.value);
    this.toggle(key, value, true);
  }

  /** @param {string} key @param {string} value @param {boolean} isOn */
  toggle(key, value, isOn) {
    const others = Object.fromEntries(Object.entries(this.labels).filter(([name]) => name !== key));
    this.dispatchEvent(new CustomEvent("labels", { detail: isOn ? { ...others, [key]: value } : others }));
  }
}

customElements.define("gc-label-filter", LabelFilter);
