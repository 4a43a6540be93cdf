/** What the view of one series loads, each as soon as what it needs is there and as the address asks for it. */

import { get, inPath, post } from "../../api.js";
import { toSeconds } from "../../format.js";
import { Loader } from "../../loader.js";
import { makeFigure } from "./figure.js";
import { loadArchive, loadBacktest, loadBacktests, loadForecast, loadModels, loadVersion, tile } from "./forecasts.js";
import { choosePoints, loadHistory, refine, widen } from "./history.js";

/** Values that are scored while a person waits: about two seconds. */
export const MOST_SCORED = 3000;
const ARCHIVE = "archive";
const STEPS_IN_FIRST_VIEW = 240;
const FEW_ROWS = 500;

/** Keeps what was made of some inputs, so that what is drawn changes only as they do. */
class Memo {
  /** @type {unknown[]|null} */
  inputs = null;
  /** @type {any} */
  value = null;

  /** Return what `make` makes of the inputs. @template T @param {unknown[]} inputs @param {(...inputs: any[]) => T} make @returns {T} */
  get(inputs, make) {
    if (!this.inputs || inputs.some((input, index) => input !== this.inputs?.[index])) {
      this.value = make(...inputs);
      this.inputs = inputs;
    }
    return this.value;
  }
}

export class Sources {
  /** @param {import("../../vendor/lit.js").LitElement} host */
  constructor(host) {
    /** @type {Record<string, string>} */
    this.query = {};
    this.series = new Loader(host, "the series");
    this.models = new Loader(host, "models");
    this.version = new Loader(host, "the model");
    this.whole = new Loader(host, "its values");
    this.detail = new Loader(host, "its values");
    this.latest = new Loader(host, "covariates");
    this.forecast = new Loader(host, "the forecast");
    this.changed = new Loader(host, "the changed forecast");
    this.backtests = new Loader(host, "backtests");
    this.earlier = new Loader(host, "earlier forecasts");
    this.scan = new Loader(host, "anomalies");
    /** @type {Record<string, (number|string|null)[]>|null} changed covariates of the coming steps */
    this.future = null;
    this.history = new Memo();
    this.tiles = new Memo();
    this.figure = new Memo();
    this.range = new Memo();
  }

  /** Take the address, and load what it asks for and what is missing. @param {Record<string, string>} query */
  follow(query) {
    if (query.id !== this.query.id) this.forget();
    if (query.model !== this.query.model) this.future = null;
    this.query = query;
    const { id } = query;
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

  /** @returns {any} the model that is asked */
  get model() {
    const { trained = [], others = [] } = /** @type {any} */ (this.models.data) ?? {};
    const all = [...trained, ...others];
    return all.find(({ name }) => name === this.query.model) ?? all.find(({ champion }) => champion !== null) ?? all[0] ?? null;
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
    if (span) this.scan.load([id, model.name, span], async (signal) => (await import("./anomalies.js")).scan(model.name, id, span, signal));
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
      const given = /** @type {[number, number]} */ ([from, to].map(toSeconds));
      if (given[0] < given[1]) return given;
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
    return (end - from) / this.step <= MOST_SCORED && from < end ? [Math.floor(from), Math.ceil(end)] : null;
  }

  /** @returns {import("./figure.js").Parts} */
  collect() {
    const series = /** @type {any} */ (this.series.data);
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

  /** Return what the chart shows. */
  getFigure() {
    const parts = this.collect();
    return this.figure.get(Object.values(parts), () => makeFigure(parts));
  }
}
