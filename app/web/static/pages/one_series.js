/** One series: its history, its forecast, what was forecast before, and what was improbable, in one chart. */

import { html, nothing } from "../vendor/lit.js";
import { get, inPath, post } from "../api.js";
import { View } from "../element.js";
import { formatCount, formatTime, toSeconds } from "../format.js";
import { Loader, renderEmpty } from "../loader.js";
import "../parts/chart.js";
import { adjust, link } from "../router.js";
import { may } from "../session.js";
import "./one_series/about.js";
import { MOST_VALUES, scan, writeScan } from "./one_series/anomalies.js";
import { renderControls } from "./one_series/controls.js";
import { describeAt, makeFigure } from "./one_series/figure.js";
import { loadArchive, loadBacktest, loadBacktests, loadForecast, loadModels, loadVersion, tile } from "./one_series/forecasts.js";
import "./one_series/health.js";
import { choosePoints, loadHistory, refine, toIso, widen } from "./one_series/history.js";
import { Memo } from "./one_series/memo.js";
import { renderCautions, renderChanged, renderForecast } from "./one_series/summary.js";
import "./one_series/what_if.js";

const ARCHIVE = "archive";
const STEPS_IN_FIRST_VIEW = 240;
const FEW_ROWS = 500;
const MOST_ADDRESS = 3000;

class OneSeriesView extends View {
  static properties = { ...View.properties, future: { state: true } };

  constructor() {
    super();
    this.series = new Loader(this, "the series");
    this.models = new Loader(this, "models");
    this.version = new Loader(this, "the model");
    this.whole = new Loader(this, "its values");
    this.detail = new Loader(this, "its values");
    this.latest = new Loader(this, "covariates");
    this.forecast = new Loader(this, "the forecast");
    this.changed = new Loader(this, "the changed forecast");
    this.backtests = new Loader(this, "backtests");
    this.earlier = new Loader(this, "earlier forecasts");
    this.scan = new Loader(this, "anomalies");
    /** @type {Record<string, (number|string|null)[]>|null} changed covariates of the coming steps */
    this.future = null;
    this.history = new Memo();
    this.tiles = new Memo();
    this.figure = new Memo();
    this.range = new Memo();
  }

  get heading() {
    return this.query.id ?? "Series";
  }

  /** @returns {any} the model that is asked */
  get model() {
    const { trained = [], others = [] } = /** @type {any} */ (this.models.data) ?? {};
    const all = [...trained, ...others];
    return all.find(({ name }) => name === this.query.model) ?? all.find(({ champion }) => champion !== null) ?? all[0] ?? null;
  }

  /** @returns {Record<string, Record<string, number|string>>} */
  get changes() {
    return this.query.what ? JSON.parse(this.query.what) : {};
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    const before = /** @type {Record<string, string>|undefined} */ (changed.get("query"));
    if (before && before.id !== this.query.id) this.forget();
    const { id } = this.query;
    if (!id) return;
    this.series.load(id, (signal) => get(`series/${inPath(id)}`, {}, signal));
    const series = /** @type {any} */ (this.series.data);
    if (!series) return;
    this.whole.load([id, series.version], (signal) => loadHistory(id, choosePoints(series.count, 1), null, signal));
    this.loadDetail(id);
    if (series.last_ds) this.latest.load([id, series.version], (signal) => get(`series/${inPath(id)}/observations`, { start: series.last_ds }, signal));
    this.models.load([id, series.freq], (signal) => loadModels(series, signal));
    if (this.model) this.loadForecasts(id, this.model, series);
  }

  forget() {
    for (const loader of [this.series, this.models, this.version, this.whole, this.detail, this.latest, this.forecast, this.changed, this.backtests, this.earlier, this.scan]) {
      loader.data = null;
      loader.problem = null;
    }
    this.future = null;
  }

  /** @param {string} id */
  loadDetail(id) {
    const range = this.getRange();
    if (!range || !(/** @type {any} */ (this.whole.data)?.thinned)) return;
    const span = widen(range);
    const points = choosePoints((span[1] - span[0]) / this.step, (span[1] - span[0]) / (range[1] - range[0]));
    this.detail.load([id, ...span.map(Math.round)], (signal) => loadHistory(id, points, span, signal));
  }

  /** @param {string} id @param {any} model @param {any} series */
  loadForecasts(id, model, { version }) {
    const { fill, earlier } = this.query;
    this.forecast.load([id, model.name, model.champion, fill, version], (signal) => loadForecast(model, id, fill, signal));
    this.backtests.load(model.name, (signal) => loadBacktests(model.name, signal));
    if (earlier) {
      const load = earlier === ARCHIVE ? loadArchive.bind(null, model.name) : loadBacktest.bind(null, earlier);
      this.earlier.load([id, model.name, earlier], (signal) => load(id, signal));
    }
    if (model.champion !== null) this.version.load([model.name, model.champion], (signal) => loadVersion(model.name, model.champion, signal));
    const span = this.getScanSpan();
    if (span) this.scan.load([id, model.name, span], (signal) => scan(model.name, id, span, signal));
    if (this.future) this.changed.load([id, model.name, this.future], (signal) => post("forecast", this.writeChanged(), signal));
  }

  writeChanged() {
    const { id, fill } = this.query;
    return { model: this.model.name, series: [id], future: { [id]: this.future }, covariate_fill: fill };
  }

  /** Return the mean step in seconds. */
  get step() {
    const { first_ds, last_ds, count } = /** @type {any} */ (this.series.data);
    return (toSeconds(last_ds) - toSeconds(first_ds)) / Math.max(1, count - 1);
  }

  /** Return what is in view: what the address says, else the newest values; null: all. @returns {[number, number]|null} */
  getRange() {
    const { from, to, range } = this.query;
    const series = /** @type {any} */ (this.series.data);
    const horizon = this.model?.horizon ?? 0;
    return this.range.get([from, to, range, series?.version, horizon], () => {
      if (from && to) return [toSeconds(from), toSeconds(to)];
      if (range === "all" || !series?.last_ds || series.count <= FEW_ROWS) return null;
      const last = toSeconds(series.last_ds);
      return [last - Math.max(STEPS_IN_FIRST_VIEW, 5 * horizon) * this.step, last + horizon * this.step];
    });
  }

  /** Return what is to be scored, null where nothing is asked for or it is too much. @returns {[number, number]|null} */
  getScanSpan() {
    if (!this.query.anomalies) return null;
    const series = /** @type {any} */ (this.series.data);
    const [from, to] = this.getRange() ?? [toSeconds(series.first_ds), toSeconds(series.last_ds) + this.step];
    const end = Math.min(to, toSeconds(series.last_ds) + this.step);
    return (end - from) / this.step <= MOST_VALUES && from < end ? [Math.floor(from), Math.ceil(end)] : null;
  }

  render() {
    if (!this.query.id) return html`<h1 tabindex="-1">No series was chosen</h1><p>Choose one of <a href=${link("series")}>the series</a>.</p>`;
    const series = /** @type {any} */ (this.series.data);
    return html`<div class="head">
        <div>
          <p class="sub"><a href=${link("series")}>Series</a></p>
          <h1 tabindex="-1">${this.query.id}</h1>
          ${series ? html`<p class="sub">${this.renderSubtitle(series)}</p>` : nothing}
        </div>
        ${series && may("write") ? html`<p class="actions"><a class="button ${this.model ? "" : "primary"}" href=${link("train", { series: series.id })}>Train a model on it</a></p>` : nothing}
      </div>
      ${this.series.render((data) => this.renderSeries(data))}`;
  }

  /** @param {any} series */
  renderSubtitle({ count, first_ds, last_ds, timezone, freq, labels }) {
    const span = last_ds ? `, ${formatTime(first_ds, timezone, freq)} to ${formatTime(last_ds, timezone, freq)}` : "";
    return html`${formatCount(count, "row")}${span}
      ${Object.entries(labels).map(([key, value]) => html`<a class="badge" href=${link("series", { label: `${key}:${value}` })}>${key}: ${value}</a> `)}`;
  }

  /** @param {any} series */
  renderSeries(series) {
    if (!series.last_ds) {
      return renderEmpty("This series has no values yet.", html`<p class="actions"><a class="button primary" href=${link("import")}>Import a table</a></p>`);
    }
    const result = /** @type {any} */ (this.forecast.data);
    const config = /** @type {any} */ (this.version.data)?.config;
    return html`<div class="wide-first">
      <div>
        ${this.renderOutlook(series)}
        <section class="card" aria-label="Chart">
          ${renderControls(this)}
          ${this.whole.render(() => this.renderChart(series))}
          ${this.renderScanState()}
        </section>
        ${this.renderEarlierState()}
        ${result ? renderCautions(result, series, config?.covariates.known_future ?? []) : nothing}
        ${result?.forecast.status === "ok" && config?.covariates.known_future.length ? this.renderWhatIf(series, result, config) : nothing}
      </div>
      <div>
        <gc-series-health .series=${series} @look=${(/** @type {CustomEvent} */ event) => this.show(event.detail.from, event.detail.to)}></gc-series-health>
        <gc-series-about .series=${series} .latest=${this.latest.data} @changed=${() => this.series.reload()}></gc-series-about>
      </div>
    </div>`;
  }

  /** @param {any} series */
  renderChart(series) {
    const parts = this.collect(series);
    const { layers, bands, now } = this.figure.get(Object.values(parts), () => makeFigure(parts));
    const result = /** @type {any} */ (this.forecast.data);
    const request = result?.request ?? { method: "GET", path: `series/${inPath(series.id)}/observations` };
    return html`<gc-chart
      .layers=${layers}
      .bands=${bands}
      .now=${now}
      .range=${this.getRange()}
      .timezone=${series.timezone}
      .freq=${series.freq}
      .unit=${series.unit}
      .label=${series.id}
      .height=${420}
      .request=${this.changedForecast ? { method: "POST", path: "forecast", body: this.writeChanged() } : request}
      .describe=${(/** @type {number} */ x) => describeAt(this.collect(series), x)}
      @range-change=${(/** @type {CustomEvent} */ event) => this.show(event.detail.from, event.detail.to)}
    ></gc-chart>`;
  }

  /** @param {any} series @returns {import("./one_series/figure.js").Parts} */
  collect(series) {
    const { forecast } = /** @type {any} */ (this.forecast.data) ?? {};
    const earlier = this.query.earlier ? this.earlier.data : null;
    return {
      series,
      history: this.history.get([this.whole.data, this.detail.data], refine),
      forecast: forecast?.status === "ok" ? forecast : null,
      changed: this.changedForecast,
      earlier: this.tiles.get([earlier, forecast?.origin], tile),
      scan: this.query.anomalies ? /** @type {any} */ (this.scan.data) : null,
    };
  }

  /** @returns {any} the forecast with changed covariates */
  get changedForecast() {
    const forecast = this.future && /** @type {any} */ (this.changed.data)?.forecasts[0];
    return forecast?.status === "ok" ? forecast : null;
  }

  renderScanState() {
    if (!this.query.anomalies) return nothing;
    const span = this.getScanSpan();
    if (!span || !this.model) return html`<p class="hint">Zoom in to at most ${formatCount(MOST_VALUES, "value")} to see their anomalies, or <a href=${link("anomalies", { series: this.query.id, model: this.model?.name })}>scan more</a>.</p>`;
    if (this.scan.isLoading) return html`<p class="hint" role="status">Looking for anomalies …</p>`;
    return this.scan.render((/** @type {any} */ scanned) => {
      if (scanned.problem) return html`<p class="warning">${scanned.problem}</p>`;
      const count = scanned.anomaly.filter(Boolean).length;
      return html`<div class="chart-foot"><p class="hint">${count ? `${formatCount(count, "anomaly", "anomalies")} among the ${formatCount(scanned.x.length, "value")} shown: outside what 99 of 100 ordinary values keep to.` : `No anomaly: all ${formatCount(scanned.x.length, "value")} shown are inside what 99 of 100 ordinary values keep to.`}</p>
        <gc-copy .request=${{ method: "POST", path: "anomalies", body: writeScan(this.model.name, this.query.id, span) }}></gc-copy></div>`;
    });
  }

  /** @param {any} series */
  renderOutlook(series) {
    if (!this.models.data || this.models.problem) return this.models.render(() => nothing);
    if (!this.model) {
      const next = may("write") ? html`<p class="actions"><a class="button primary" href=${link("train", { series: series.id })}>Train a model on this series</a></p>` : nothing;
      return renderEmpty(`No model has its frequency, ${series.freq}, so there is no forecast yet.`, next);
    }
    return this.forecast.render((/** @type {any} */ result) => renderForecast(this.model, series, result));
  }

  renderEarlierState() {
    if (!this.query.earlier || !this.model) return nothing;
    if (this.earlier.isLoading) return html`<p class="hint" role="status">Loading earlier forecasts …</p>`;
    return this.earlier.render(() => this.collect(/** @type {any} */ (this.series.data)).earlier.length ? nothing : html`<p class="warning">No earlier forecast of this series is stored there. A schedule of <a href=${link("models/one", { name: this.model.name })}>${this.model.name}</a> archives them; a backtest makes them for the past.</p>`);
  }

  /** @param {any} series @param {any} result @param {any} config */
  renderWhatIf(series, result, config) {
    return html`<gc-what-if
      .series=${series}
      .forecast=${result.forecast}
      .names=${config.covariates.known_future}
      .levels=${config.covariates.levels}
      .season=${config.network.season_lengths[0] ?? 1}
      .fill=${result.fill ?? "season"}
      .changes=${this.changes}
      .result=${this.future ? this.changed.render((/** @type {any} */ answer) => renderChanged(series, result.forecast, answer.forecasts[0])) : nothing}
      @change-future=${this.changeFuture}
    ></gc-what-if>`;
  }

  /** @param {CustomEvent} event */
  changeFuture({ detail: { changes, future } }) {
    this.future = future;
    const what = JSON.stringify(changes);
    adjust({ what: future && what.length <= MOST_ADDRESS ? what : null });
  }

  /** @param {number|null} from @param {number|null} to */
  show(from, to) {
    if (from === null || to === null) adjust({ from: null, to: null, range: "all" });
    else adjust({ from: toIso(from), to: toIso(to), range: null });
  }
}

customElements.define("gc-one-series", OneSeriesView);
