/**
 * `<gc-what-if>`: the covariates of the coming steps, which a person may change to see the forecast move.
 * Fires `change-future` {changes, future}: what was changed, and all values to send; future is null where nothing was.
 *
 * @typedef {Record<string, Record<string, number|string>>} Changes by covariate and step
 */

import { html, nothing } from "../../vendor/lit.js";
import { get, inPath } from "../../api.js";
import { Element } from "../../element.js";
import { formatTime, toSeconds } from "../../format.js";
import { Loader } from "../../loader.js";
import { collectValues, merge, multiply, setAll } from "./future.js";
import { toIso } from "./history.js";

const SETTLED = 400;
const MOST_ROWS = 10000;

class WhatIf extends Element {
  static properties = Object.fromEntries(["series", "forecast", "names", "levels", "season", "fill", "changes", "result"].map((name) => [name, { attribute: false }]));

  constructor() {
    super();
    /** @type {any} */
    this.series = null;
    /** @type {import("./forecasts.js").Forecast|null} the one without changes */
    this.forecast = null;
    /** @type {string[]} known-future covariates of the model */
    this.names = [];
    /** @type {Record<string, string[]>} texts that a covariate may have */
    this.levels = {};
    /** steps of a season */
    this.season = 1;
    /** @type {"last"|"season"} what stands for values that are not stored */
    this.fill = "season";
    /** @type {Changes} */
    this.changes = {};
    /** @type {unknown} words on the forecast that the changes make */
    this.result = nothing;
    this.rows = new Loader(this, "covariates");
    this.timer = 0;
    this.sent = "";
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    const { series, forecast, season } = this;
    if (changed.has("names")) this.sent = "";
    if (!forecast) return;
    const origin = toSeconds(forecast.origin);
    const step = toSeconds(forecast.ds[0]) - origin;
    const start = toIso(origin - Math.min((season + 2) * step, MOST_ROWS * 0.5 * step));
    this.rows.load([series.id, series.version, start], (signal) => get(`series/${inPath(series.id)}/observations`, { start, limit: MOST_ROWS }, signal));
  }

  updated() {
    if (this.rows.data && Object.keys(this.changes).length) this.tell(this.changes);
  }

  /** @returns {Record<string, import("./future.js").Value[]>} */
  get values() {
    return collectValues(/** @type {any} */ (this.rows.data), /** @type {any} */ (this.forecast), this.names, this.fill, this.season);
  }

  render() {
    return this.rows.render(() => this.renderTable());
  }

  renderTable() {
    const { values } = this;
    const isChanged = Object.keys(this.changes).length > 0;
    const isAssumed = Object.values(values).some((column) => column.some((value) => !value.isStored));
    return html`${isAssumed ? html`<p class="hint">Values with a dashed edge are not stored: they are assumed as ${this.fill === "last" ? "the last known" : "those of a season before"}.</p>` : nothing}
      <div aria-live="polite">${this.result}</div>
      ${this.renderTools(values, isChanged)}
      <div class="scroll tall" tabindex="0" role="region" aria-label="Covariates of the coming steps">
        <table>
          <caption>Covariates of the coming steps</caption>
          <thead><tr><th scope="col">Time (${this.series.timezone})</th>${this.names.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
          <tbody>
            ${/** @type {any} */ (this.forecast).ds.map((/** @type {string} */ ds, /** @type {number} */ step) => {
              const time = formatTime(ds, this.series.timezone, this.series.freq);
              return html`<tr><th scope="row">${time}</th>${this.names.map((name) => html`<td>${this.renderCell(name, step, values[name][step], time)}</td>`)}</tr>`;
            })}
          </tbody>
        </table>
      </div>`;
  }

  /** @param {Record<string, import("./future.js").Value[]>} values @param {boolean} isChanged */
  renderTools(values, isChanged) {
    const numeric = this.names.filter((name) => !this.levels[name]);
    return html`<form class="filters" @submit=${(/** @type {Event} */ event) => event.preventDefault()}>
      ${numeric.length
        ? html`<label>Covariate <select name="name">${numeric.map((name) => html`<option>${name}</option>`)}</select></label>
            <label>Number <input name="amount" type="number" step="any" value="10" class="few" /></label>
            <button type="button" @click=${(/** @type {Event} */ event) => this.apply(event, values, multiply)}>Add as %</button>
            <button type="button" @click=${(/** @type {Event} */ event) => this.apply(event, values, setAll)}>Set all</button>`
        : nothing}
      <button type="button" ?disabled=${!isChanged} @click=${() => this.change({})}>Undo all changes</button>
    </form>`;
  }

  /** @param {string} name @param {number} step @param {import("./future.js").Value} value @param {string} time */
  renderCell(name, step, { value, isStored }, time) {
    const changed = this.changes[name]?.[step];
    const shown = changed ?? value ?? "";
    const look = `short ${changed !== undefined ? "changed" : ""} ${isStored ? "" : "assumed"}`;
    const label = `${name}, ${time}`;
    const levels = this.levels[name];
    const edit = (/** @type {Event} */ event) => this.edit(name, step, /** @type {HTMLInputElement} */ (event.target).value);
    if (!levels) return html`<input type="number" step="any" class=${look} aria-label=${label} .value=${String(shown)} @change=${edit} />`;
    return html`<select class=${look} aria-label=${label} @change=${edit}>${levels.map((level) => html`<option ?selected=${level === shown}>${level}</option>`)}</select>`;
  }

  /** @param {string} name @param {number} step @param {string} text */
  edit(name, step, text) {
    const { [step]: _, ...others } = this.changes[name] ?? {};
    const column = text === "" ? others : { ...others, [step]: this.levels[name] ? text : Number(text) };
    const { [name]: __, ...rest } = this.changes;
    this.change(Object.keys(column).length ? { ...rest, [name]: column } : rest);
  }

  /** @param {Event} event @param {Record<string, import("./future.js").Value[]>} values @param {typeof multiply} how */
  apply(event, values, how) {
    const given = new FormData(/** @type {HTMLFormElement} */ (/** @type {HTMLElement} */ (event.target).closest("form")));
    const name = String(given.get("name"));
    const amount = Number(given.get("amount"));
    this.change({ ...this.changes, [name]: how(merge(values[name], this.changes[name]), amount) });
  }

  /** @param {Changes} changes */
  change(changes) {
    this.changes = changes;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.tell(changes), SETTLED);
  }

  /** @param {Changes} changes */
  tell(changes) {
    const isChanged = Object.keys(changes).length > 0;
    const future = isChanged ? Object.fromEntries(this.names.map((name) => [name, merge(this.values[name], changes[name])])) : null;
    const text = JSON.stringify(future);
    if (text === this.sent) return;
    this.sent = text;
    this.dispatchEvent(new CustomEvent("change-future", { detail: { changes, future } }));
  }
}

customElements.define("gc-what-if", WhatIf);
