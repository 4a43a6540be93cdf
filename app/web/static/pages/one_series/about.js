/** `<gc-series-about .series .latest>`: what is known of a series, and changing or deleting it. Fires `changed`. */

import { createRef, html, nothing, ref } from "../../vendor/lit.js";
import { call, inPath } from "../../api.js";
import { Element } from "../../element.js";
import { formatCount, formatNumber, formatTime } from "../../format.js";
import { renderProblem } from "../../loader.js";
import { notify } from "../../parts/notice.js";
import { go } from "../../router.js";
import { may } from "../../session.js";

class SeriesAbout extends Element {
  static properties = { series: { attribute: false }, latest: { attribute: false }, problem: { state: true } };

  constructor() {
    super();
    /** @type {any} */
    this.series = null;
    /** @type {any} its newest row and those after it; null while it is loaded */
    this.latest = null;
    /** @type {import("../../api.js").Problem|null} */
    this.problem = null;
    this.editing = createRef();
    this.deleting = createRef();
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
            <button type="button" @click=${() => this.open(this.editing)}>Edit</button>
            <button type="button" class="danger" @click=${() => this.open(this.deleting)}>Delete …</button>
          </p>`
        : nothing}
      ${this.renderEditing()}${this.renderDeleting()}
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

  renderEditing() {
    const { series } = this;
    const labels = Object.entries(series.labels).map(([key, value]) => `${key}: ${value}`).join("\n");
    return html`<dialog ${ref(this.editing)} aria-labelledby="edit-title" @close=${() => (this.problem = null)}>
      <form @submit=${this.save}>
        <h2 id="edit-title">Edit ${series.id}</h2>
        ${this.problem ? renderProblem(this.problem) : nothing}
        <label>Description <input name="description" maxlength="10000" .value=${series.description ?? ""} /></label>
        <label>Unit <input name="unit" maxlength="100" .value=${series.unit ?? ""} /></label>
        <label>Labels, one a line, as <code>key: value</code> <textarea name="labels" .value=${labels}></textarea></label>
        <p class="actions"><button class="primary">Save</button><button type="button" @click=${() => this.close(this.editing)}>Cancel</button></p>
      </form>
    </dialog>`;
  }

  renderDeleting() {
    const { series } = this;
    return html`<dialog ${ref(this.deleting)} aria-labelledby="delete-title" @close=${() => (this.problem = null)}>
      <h2 id="delete-title">Delete ${series.id}?</h2>
      ${this.problem ? renderProblem(this.problem) : nothing}
      <p>Its ${formatCount(series.count, "row")} and its forecasts go with it; models that were trained on it stay. This cannot be undone.</p>
      <p class="actions"><button type="button" class="danger" @click=${this.delete}>Delete it</button><button type="button" autofocus @click=${() => this.close(this.deleting)}>Keep it</button></p>
    </dialog>`;
  }

  /** @param {{value?: unknown}} dialog */
  open(dialog) {
    /** @type {HTMLDialogElement} */ (dialog.value).showModal();
  }

  /** @param {{value?: unknown}} dialog */
  close(dialog) {
    /** @type {HTMLDialogElement} */ (dialog.value).close();
  }

  /** @param {SubmitEvent} event */
  async save(event) {
    event.preventDefault();
    const given = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const { id, freq, timezone, static: covariates } = this.series;
    const body = {
      freq,
      timezone,
      static: covariates,
      description: given.get("description") || null,
      unit: given.get("unit") || null,
      labels: readLabels(String(given.get("labels"))),
    };
    await this.attempt(() => call("PUT", `series/${inPath(id)}`, { body }), () => {
      this.close(this.editing);
      notify("Saved");
      this.dispatchEvent(new CustomEvent("changed"));
    });
  }

  async delete() {
    const { id } = this.series;
    await this.attempt(() => call("DELETE", `series/${inPath(id)}`), () => {
      notify(`${id} was deleted`);
      go("series");
    });
  }

  /** @param {() => Promise<unknown>} request @param {() => void} done */
  async attempt(request, done) {
    try {
      await request();
      done();
    } catch (error) {
      this.problem = /** @type {import("../../api.js").Problem} */ (error);
    }
  }
}

/** Read labels, a line each; a line without a colon is a key with an empty value. @param {string} text @returns {Record<string, string>} */
function readLabels(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  return Object.fromEntries(lines.map((line) => {
    const [key, ...value] = line.split(":");
    return [key.trim(), value.join(":").trim()];
  }));
}

customElements.define("gc-series-about", SeriesAbout);
