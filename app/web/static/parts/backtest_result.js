/** `<gc-backtest-result .backtest .query>`: measures overall, by step, by window and by series. */

import { html, nothing } from "../vendor/lit.js";
import { chooseMeasure, describeBacktest, findBestBaseline } from "../backtest_words.js";
import { Element } from "../element.js";
import { formatCount, formatNumber, formatPercent, formatTime, toSeconds } from "../format.js";
import { compare, FORECASTERS, formatMeasure } from "../judging.js";
import { adjust } from "../router.js";
import "./chart.js";
import "./backtest_forecasts.js";
import { renderMeasures } from "./measure_table.js";

const MOST_SERIES = 100;

/** @typedef {Record<string, any>} Row measures of each forecaster by step, window or series */

/**
 * Return layers of the model, season-naive, and the best baseline.
 * @param {number[]} x @param {Row[]} rows @param {string} measure @param {string|null} best
 * @returns {import("./chart/traces.js").Layer[]}
 */
function makeLayers(x, rows, measure, best) {
  const names = [...new Set(["model", "season_naive", ...(best ? [best] : [])])].filter((name) => rows.some((row) => row[name]));
  /** @type {import("./chart/traces.js").Color[]} */
  const colors = ["forecast", "actual", "earlier"];
  return names.map((name, index) => ({
    name: FORECASTERS[name],
    x,
    y: rows.map((row) => row[name]?.[measure] ?? null),
    kind: name === "model" ? "line" : "dashed",
    color: colors[index],
    width: name === "model" ? 2 : 1.5,
  }));
}

class BacktestResult extends Element {
  static properties = {
    backtest: { attribute: false },
    query: { attribute: false },
  };

  constructor() {
    super();
    /** @type {import("../backtest_words.js").Backtest|null} that has succeeded */
    this.backtest = null;
    /** @type {Record<string, string>} */
    this.query = {};
    /** @type {import("./chart/traces.js").Layer[]} */
    this.steps = [];
    /** @type {import("./chart/traces.js").Layer[]} */
    this.windows = [];
    this.measure = "mase";
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (!changed.has("backtest") || !this.backtest) return;
    const { by_step, by_window, overall } = this.backtest;
    this.measure = chooseMeasure(this.backtest);
    const best = findBestBaseline(overall, this.measure);
    this.steps = makeLayers(by_step.map((/** @type {Row} */ row) => row.step), by_step, this.measure, best);
    this.windows = makeLayers(by_window.map((/** @type {Row} */ row) => toSeconds(row.first_origin)), by_window, this.measure, best);
  }

  render() {
    const { backtest } = this;
    if (!backtest) return nothing;
    const rows = Object.entries(backtest.overall).map(([name, measures]) => ({ label: FORECASTERS[name] ?? name, measures, isOwn: name === "model" }));
    const label = this.measure.toUpperCase();
    const request = { method: "GET", path: `backtests/${backtest.id}` };
    return html`<section class="card">
        <h2>Overall</h2>
        <p>${describeBacktest(backtest)}</p>
        ${renderMeasures(rows, "On the same windows; less is better, and the best of each is bold")}
      </section>
      <div class="columns two">
        <section class="card">
          <h2>By step of the horizon</h2>
          <gc-chart .label=${`${label} by step of the horizon`} .axis=${"number"} .layers=${this.steps} .request=${request} .height=${240}></gc-chart>
        </section>
        <section class="card">
          <h2>By window</h2>
          ${backtest.by_window.length > 1
            ? html`<gc-chart .label=${`${label} by window`} .layers=${this.windows} .freq=${"D"} .request=${request} .height=${240}></gc-chart>`
            : html`<p>There is one window, from ${formatTime(backtest.by_window[0]?.first_origin)}.</p>`}
        </section>
      </div>
      ${this.renderSeries(backtest)} ${this.renderForecasts(backtest)}`;
  }

  /** @returns {Row[]} rows by series in the order of the address */
  sortSeries() {
    const rows = [...this.backtest?.by_series];
    const { measure } = this;
    if (this.query.sort === "best") return rows.sort((one, other) => one.model[measure] - other.model[measure]);
    if (this.query.sort === "worst") return rows.sort((one, other) => other.model[measure] - one.model[measure]);
    return rows;
  }

  /** @param {import("../backtest_words.js").Backtest} backtest */
  renderSeries(backtest) {
    if (backtest.by_series.length < 2) return nothing;
    const { measure } = this;
    const sort = this.query.sort ?? "";
    /** @type {[string, string][]} */
    const orders = [["", "By name"], ["worst", "Worst first"], ["best", "Best first"]];
    return html`<section class="card">
      <div class="head">
        <h2>By series</h2>
        <span class="actions">
          ${orders.map(([name, text]) => html`<button type="button" class="quiet" aria-pressed=${sort === name} @click=${() => adjust({ sort: name || null })}>${text}</button>`)}
        </span>
      </div>
      <div class="scroll" tabindex="0">
        <table>
          <caption>${describeShown(backtest.by_series.length)}</caption>
          <thead>
            <tr>
              <th scope="col">Series</th>
              <th scope="col" class="number">${measure.toUpperCase()}</th>
              <th scope="col" class="number">MAE</th>
              <th scope="col" class="number">80 % held</th>
              <th scope="col">Beside season-naive</th>
            </tr>
          </thead>
          <tbody>
            ${this.sortSeries().slice(0, MOST_SERIES).map((row) => this.renderRow(row))}
          </tbody>
        </table>
      </div>
    </section>`;
  }

  /** @param {Row} row */
  renderRow({ series_id, model, season_naive }) {
    const verdict = compare(model, season_naive, "season-naive");
    return html`<tr class=${series_id === this.shownSeries ? "chosen" : ""}>
      <td class="id"><button type="button" class="inline" @click=${() => adjust({ series: series_id })}>${series_id}</button></td>
      <td class="number">${formatMeasure(this.measure, model[this.measure])}</td>
      <td class="number">${formatNumber(model.mae)}</td>
      <td class="number">${model.coverage_80 === undefined ? "–" : formatPercent(model.coverage_80)}</td>
      <td>${verdict ? html`<span class=${verdict.tone}>${verdict.text}</span>` : "–"}</td>
    </tr>`;
  }

  /** @returns {string} the series whose forecasts are shown: the chosen one, or the first */
  get shownSeries() {
    return this.query.series ?? this.sortSeries()[0]?.series_id ?? "";
  }

  /** @param {import("../backtest_words.js").Backtest} backtest */
  renderForecasts(backtest) {
    if (!this.shownSeries) return nothing;
    return html`<section class="card">
      <h2>Forecasts over what happened</h2>
      <gc-backtest-forecasts .backtest=${backtest} .series=${this.shownSeries}></gc-backtest-forecasts>
    </section>`;
  }
}

/** @param {number} count */
const describeShown = (count) => (count > MOST_SERIES ? `${MOST_SERIES} of ${formatCount(count, "series", "series")}; choose one to see its forecasts` : "Choose one to see its forecasts");

customElements.define("gc-backtest-result", BacktestResult);
