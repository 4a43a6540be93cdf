/** `<gc-series-about .series .latest>`: what is known of a series, and changing or deleting it. Fires `changed`. */

import { html, nothing } from "../../vendor/lit.js";
import { Element } from "../../element.js";
import { formatNumber, formatTime } from "../../format.js";
import { may } from "../../session.js";

class SeriesAbout extends Element {
  static properties = { series: { attribute: false }, latest: { attribute: false } };

  constructor() {
    super();
    /** @type {any} */
    this.series = null;
    /** @type {any} its newest row and those after it; null while it is loaded */
    this.latest = null;
  }

  render() {
    const { series } = this;
    return html`<section class="card">
      <h2>About</h2>
      ${series.description ? html`<p>${series.description}</p>` : nothing}
      <dl class="facts">
        <dt>Frequency</dt><dd><code>${series.freq}</code></dd>
        <dt>Timezone</dt><dd>${series.timezone}</dd>
        <dt>Unit</dt><dd>${series.unit ?? "–"}</dd>
        <dt>Rows</dt><dd>${series.count.toLocaleString("en")}</dd>
        <dt>First value</dt><dd>${formatTime(series.first_ds, series.timezone, series.freq)}</dd>
        <dt>Last value</dt><dd>${formatTime(series.last_ds, series.timezone, series.freq)}</dd>
        ${Object.entries(series.static).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}
        ${this.renderCovariates()}
      </dl>
      ${may("write")
        ? html`<p class="actions">
            <button type="button" @click=${() => this.open("editing")}>Edit</button>
            <button type="button" class="danger" @click=${() => this.open("deleting")}>Delete …</button>
          </p>`
        : nothing}
      <gc-series-editing .series=${series} @changed=${() => this.dispatchEvent(new CustomEvent("changed"))}></gc-series-editing>
    </section>`;
  }

  renderCovariates() {
    const columns = Object.entries(this.latest?.covariates ?? {});
    if (!columns.length) return nothing;
    return html`<dt>Covariates</dt><dd>${columns.map(([name, values]) => {
      const known = /** @type {any[]} */ (values).findLastIndex((value) => value !== null);
      const text = known < 0 ? "no newest value" : `${typeof values[known] === "number" ? formatNumber(values[known]) : values[known]}`;
      return html`<div>${name} <span class="hint">${text}${known > 0 ? `, known until ${formatTime(this.latest.ds[known], this.series.timezone, this.series.freq)}` : ""}</span></div>`;
    })}</dd>`;
  }

  /** Open a dialog, whose code is loaded for it. @param {"editing"|"deleting"} name */
  async open(name) {
    await import("./editing.js");
    const editing = /** @type {import("./editing.js").SeriesEditing} */ (this.querySelector("gc-series-editing"));
    await editing.updateComplete;
    editing.open(editing[name]);
  }
}

customElements.define("gc-series-about", SeriesAbout);
