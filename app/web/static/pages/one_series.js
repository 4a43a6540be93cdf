/** One series: its history, its forecast, what was forecast before, and what was improbable, in one chart. */

import { html, nothing } from "../vendor/lit.js";
import { inPath } from "../api.js";
import { View } from "../element.js";
import { formatCount, formatTime } from "../format.js";
import { renderEmpty } from "../loader.js";
import "../parts/chart.js";
import { adjust, link } from "../router.js";
import { may } from "../session.js";
import "./one_series/about.js";
import { renderControls } from "./one_series/controls.js";
import { describeAt } from "./one_series/figure.js";
import "./one_series/health.js";
import { toIso } from "./one_series/history.js";
import { MOST_SCORED, Sources } from "./one_series/sources.js";
import { renderCautions, renderChanged, renderForecast } from "./one_series/summary.js";
import { toSentence } from "./one_series/words.js";

/** Longer changes are not kept in the address. */
const MOST_ADDRESS = 3000;

/** @param {string} text */
function readChanges(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/** Return what loads the code of a part when it is unfolded, then shows it. @param {() => Promise<unknown>} load @param {() => void} show */
const unfold = (load, show) => async (/** @type {Event} */ event) => {
  if (!(/** @type {HTMLDetailsElement} */ (event.target).open)) return;
  await load();
  show();
};

class OneSeriesView extends View {
  static properties = { ...View.properties, isAsking: { state: true }, isExplaining: { state: true }, isQuerying: { state: true } };

  constructor() {
    super();
    this.sources = new Sources(this);
    /** whether what if was opened */
    this.isAsking = false;
    /** the changes of the address, and the series and model that they are for */
    this.what = "";
    this.asked = "";
    /** @type {Record<string, Record<string, number|string>>} what is changed of the coming covariates, by name and step */
    this.changes = {};
    /** whether what moved the forecast was opened */
    this.isExplaining = false;
    /** whether the queries were opened */
    this.isQuerying = false;
  }

  get heading() {
    return this.query.id ?? "Series";
  }

  willUpdate() {
    this.sources.follow(this.query);
    const { what = "", id, model } = this.query;
    const asked = `${id} ${model}`;
    if (what !== this.what || asked !== this.asked) this.changes = readChanges(what);
    this.what = what;
    this.asked = asked;
  }

  render() {
    if (!this.query.id) return html`<h1 tabindex="-1">No series was chosen</h1><p>Choose one of <a href=${link("series")}>the series</a>.</p>`;
    const series = /** @type {any} */ (this.sources.series.data);
    return html`<div class="head">
        <div>
          <p class="sub"><a href=${link("series")}>Series</a></p>
          <h1 tabindex="-1">${this.query.id}</h1>
          ${series ? html`<p class="sub">${this.renderSubtitle(series)}</p>` : nothing}
        </div>
        ${series && may("write") ? this.renderActions(series) : nothing}
      </div>
      ${this.sources.series.render((/** @type {any} */ data) => this.renderSeries(data))}`;
  }

  /** @param {any} series */
  renderActions({ id }) {
    const { model } = this.sources;
    return html`<p class="actions">
      ${model ? html`<a class="button" href=${link("alerts/edit", { model: model.name, series: id })}>Alert me</a>` : nothing}
      <a class="button" href=${link("train", { series: id })}>Train a model on it</a>
    </p>`;
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
    const result = /** @type {any} */ (this.sources.forecast.data);
    const config = /** @type {any} */ (this.sources.version.data)?.config;
    return html`<div class="wide-first">
      <div>
        ${this.renderOutlook(series)}
        <section class="card" aria-label="Chart">
          ${renderControls(this.query, this.sources)}
          ${this.sources.whole.render(() => this.renderChart(series))}
          ${this.renderScanState()} ${this.sources.model ? this.renderQueries(series) : nothing}
        </section>
        ${this.renderEarlierState()}
        ${result ? renderCautions(result, series, config?.covariates.known_future ?? []) : nothing}
        ${result?.forecast.status === "ok" && !result.forecast.fallback ? this.renderExplanation(series, result) : nothing}
        ${result?.forecast.status === "ok" && config?.covariates.known_future.length ? this.renderWhatIf(series, result, config) : nothing}
      </div>
      <div>
        <gc-series-health .series=${series} @look=${(/** @type {CustomEvent} */ event) => this.show(event.detail.from, event.detail.to)}></gc-series-health>
        <gc-series-about .series=${series} .latest=${this.sources.latest.data} @changed=${() => this.sources.series.reload()}></gc-series-about>
      </div>
    </div>`;
  }

  /** @param {any} series */
  renderChart(series) {
    const { layers, bands, now } = this.sources.getFigure();
    const result = /** @type {any} */ (this.sources.forecast.data);
    const request = result?.request ?? { method: "GET", path: `series/${inPath(series.id)}/observations` };
    return html`<gc-chart
      .layers=${layers}
      .bands=${bands}
      .now=${now}
      .range=${this.sources.getRange()}
      .timezone=${series.timezone}
      .freq=${series.freq}
      .unit=${series.unit}
      .label=${series.id}
      .height=${420}
      .request=${this.sources.changedForecast ? { method: "POST", path: "forecast", body: this.sources.writeChanged() } : request}
      .describe=${(/** @type {number} */ x) => describeAt(this.sources.collect(), x)}
      @range-change=${(/** @type {CustomEvent} */ event) => this.show(event.detail.from, event.detail.to)}
    ></gc-chart>`;
  }

  renderScanState() {
    if (!this.query.anomalies) return nothing;
    const span = this.sources.getScanSpan();
    if (!span || !this.sources.model) return html`<p class="hint">Zoom in to at most ${formatCount(MOST_SCORED, "value")} to see their anomalies, or <a href=${link("anomalies", { series: this.query.id, model: this.sources.model?.name })}>scan more</a>.</p>`;
    if (this.sources.scan.isLoading) return html`<p class="hint" role="status">Looking for anomalies …</p>`;
    return this.sources.scan.render((/** @type {any} */ scanned) => {
      if (scanned.problem) return html`<p class="warning">${toSentence(scanned.problem)}</p>`;
      const count = scanned.anomaly.filter(Boolean).length;
      return html`<div class="chart-foot"><p class="hint">${count ? `${formatCount(count, "anomaly", "anomalies")} among the ${formatCount(scanned.x.length, "value")} shown: outside what 99 of 100 ordinary values keep to.` : `No anomaly: all ${formatCount(scanned.x.length, "value")} shown are inside what 99 of 100 ordinary values keep to.`}</p>
        <gc-copy .request=${scanned.request}></gc-copy></div>`;
    });
  }

  /** @param {any} series */
  renderQueries(series) {
    return html`<details @toggle=${unfold(() => import("./one_series/queries.js"), () => (this.isQuerying = true))}>
      <summary>Queries for Grafana and Prometheus</summary>
      ${this.isQuerying ? html`<gc-series-queries .series=${series} .model=${this.sources.model.name}></gc-series-queries>` : nothing}
    </details>`;
  }

  /** @param {any} series */
  renderOutlook(series) {
    if (!this.sources.models.data || this.sources.models.problem) return this.sources.models.render(() => nothing);
    if (!this.sources.model) {
      const next = may("train") ? html`<p class="actions"><a class="button primary" href=${link("train", { series: series.id })}>Train a model on this series</a></p>` : nothing;
      return renderEmpty(`No model has its frequency, ${series.freq}, so there is no forecast yet.`, next);
    }
    return this.sources.forecast.render((/** @type {any} */ result) => renderForecast(this.sources.model, series, result));
  }

  renderEarlierState() {
    if (!this.query.earlier || !this.sources.model) return nothing;
    if (this.sources.earlier.isLoading) return html`<p class="hint" role="status">Loading earlier forecasts …</p>`;
    return this.sources.earlier.render(() => this.sources.collect().earlier.length ? nothing : html`<p class="warning">No earlier forecast of this series is stored there. A schedule of <a href=${link("models/one", { name: this.sources.model.name })}>${this.sources.model.name}</a> archives them; a backtest makes them for the past.</p>`);
  }

  /** @param {any} series @param {any} result */
  renderExplanation(series, { fill }) {
    const body = { model: this.sources.model.name, series: [series.id], covariate_fill: fill };
    return html`<details class="card" @toggle=${unfold(() => import("./one_series/explanation.js"), () => (this.isExplaining = true))}>
      <summary><h2>What moved it?</h2> What the series' own past and each covariate did to the forecast.</summary>
      ${this.isExplaining ? html`<gc-explanation .series=${series} .body=${body}></gc-explanation>` : nothing}
    </details>`;
  }

  /** @param {any} series @param {any} result @param {any} config */
  renderWhatIf(series, result, config) {
    return html`<details class="card" ?open=${this.isAsking || Boolean(this.what)} @toggle=${unfold(() => import("./one_series/what_if.js"), () => (this.isAsking = true))}>
      <summary><h2>What if?</h2> Change what is expected of ${config.covariates.known_future.join(", ")}, and see the forecast move.</summary>
      ${this.isAsking ? this.renderAsking(series, result, config) : nothing}
    </details>`;
  }

  /** @param {any} series @param {any} result @param {any} config */
  renderAsking(series, result, config) {
    return html`<gc-what-if
      .series=${series}
      .forecast=${result.forecast}
      .names=${config.covariates.known_future}
      .levels=${config.covariates.levels}
      .season=${config.network.season_lengths[0] ?? 1}
      .fill=${result.fill ?? "season"}
      .changes=${this.changes}
      .result=${this.sources.future ? this.sources.changed.render((/** @type {any} */ answer) => renderChanged(series, result.forecast, answer.forecasts[0])) : nothing}
      @change-future=${this.changeFuture}
    ></gc-what-if>`;
  }

  /** @param {CustomEvent} event */
  changeFuture({ detail: { changes, future } }) {
    const what = JSON.stringify(changes);
    this.sources.future = future;
    this.changes = changes;
    this.what = future && what.length <= MOST_ADDRESS ? what : "";
    this.requestUpdate();
    adjust({ what: this.what });
  }

  /** @param {number|null} from @param {number|null} to */
  show(from, to) {
    if (from === null || to === null) adjust({ from: null, to: null, range: "all" });
    else adjust({ from: toIso(from), to: toIso(to), range: null });
  }
}

customElements.define("gc-one-series", OneSeriesView);
