/** Anomalies: which stored values a model held for improbable. */

import { html, nothing } from "../vendor/lit.js";
import { get, getAll, inPath, send } from "../api.js";
import { View } from "../element.js";
import { formatPercent, hasTime } from "../format.js";
import { describeJob, isActive, renderFailure, renderMeter } from "../job_words.js";
import { Loader, renderEmpty } from "../loader.js";
import "../parts/copy.js";
import "../parts/series_picker.js";
import { adjust, go, link } from "../router.js";
import { may } from "../session.js";
import { Ticker } from "../ticker.js";

const LEVELS = ["0.9", "0.95", "0.99", "0.999"];
const LEVEL = "0.99";
/** days before a series' last value that are suggested, by whether its values have a time of day */
const FINE_DAYS = 60;
const COARSE_DAYS = 1000;

/** @typedef {Record<string, any>} Scan as POST /anomalies and GET /anomalies/{id} answer it */

class AnomaliesView extends View {
  constructor() {
    super();
    /** @type {Loader<Record<string, any>[]>} */
    this.models = new Loader(this, "models");
    /** @type {Loader<Scan>} */
    this.scan = new Loader(this, "anomalies");
    /** @type {Loader<Record<string, any>|null>} the series whose values are shown */
    this.series = new Loader(this, "series");
    this.ticker = new Ticker(this, () => this.scan.reload());
  }

  get heading() {
    return "Anomalies";
  }

  get isWanted() {
    return Boolean(this.query.scan || (this.query.run && this.query.model && this.query.series));
  }

  get body() {
    const { model, series, start, end, level = LEVEL } = this.query;
    return { model, series: [series], ...(start ? { start } : {}), ...(end ? { end } : {}), level: Number(level) };
  }

  willUpdate() {
    this.models.load("all", (signal) => getAll("models", { limit: 100 }, signal, 1000));
    const { scan } = this.query;
    if (scan) this.scan.load(["job", scan], (signal) => get(`anomalies/${encodeURIComponent(scan)}`, {}, signal));
    else if (this.isWanted) this.scan.load(this.body, (signal) => this.ask(signal));
    const id = this.shown?.series_id ?? this.query.series;
    this.series.load(id ?? "", (signal) => (id ? get(`series/${inPath(id)}`, {}, signal) : Promise.resolve(null)));
    this.ticker.isWanted = Boolean(scan) && this.scan.data !== null && isActive(this.scan.data);
    if (this.isWanted) import("../parts/scan_result.js");
  }

  /** Ask for a scan; one that takes long becomes a job, which the address then names. @param {AbortSignal} signal @param {Record<string, string>} [headers] */
  async ask(signal, headers = {}) {
    const response = await send("POST", "anomalies", { body: this.body, headers, signal });
    const answer = await response.json();
    if (response.status === 202) go("anomalies", { scan: answer.id });
    return response.status === 202 ? { ...answer, series: null } : answer;
  }

  render() {
    return html`<div class="head">
        <div>
          <h1 tabindex="-1">Anomalies</h1>
          <p class="sub">Values that a model held for improbable, as it saw each from the step before.</p>
        </div>
      </div>
      ${this.models.render((models) => this.renderForm(models))} ${this.isWanted ? this.renderScan() : nothing}`;
  }

  /** @param {Record<string, any>[]} models */
  renderForm(models) {
    const usable = models.filter((model) => model.champion !== null);
    if (!usable.length) {
      const next = may("train") ? html`<p class="actions"><a class="button primary" href=${link("train")}>Train a model</a></p>` : nothing;
      return renderEmpty("Anomalies are judged by a model's champion, and no model has one.", next);
    }
    const { model = usable.find((one) => !one.builtin)?.name, series, level = LEVEL } = this.query;
    const suggested = this.suggestStart();
    return html`<form class="card" @submit=${this.submit}>
      <div class="columns two">
        <gc-series-picker .multiple=${false} .value=${{ ids: series ? [series] : [] }} @change=${this.pick}></gc-series-picker>
        <div class="filters">
          <label>Model
            <select name="model">
              ${usable.map((one) => html`<option value=${one.name} ?selected=${one.name === model}>${one.name}</option>`)}
            </select>
          </label>
          <label>From <input type="date" name="start" .value=${this.query.start ?? suggested} /></label>
          <label>To, exclusive <input type="date" name="end" .value=${this.query.end ?? ""} /></label>
          <label>Ordinary values that the interval holds
            <select name="level">
              ${LEVELS.map((one) => html`<option value=${one} ?selected=${one === level}>${formatPercent(Number(one), one.length > 4 ? 1 : 0)}</option>`)}
            </select>
          </label>
        </div>
      </div>
      <p class="actions">
        <button class="primary" ?disabled=${!series}>Find anomalies</button>
        ${series && this.query.model ? html`<gc-copy .request=${{ method: "POST", path: "anomalies", body: this.body }}></gc-copy>` : nothing}
        ${series ? nothing : html`<span class="hint">Choose a series first.</span>`}
      </p>
    </form>`;
  }

  /** @returns {string} a date some time before the last value of the series */
  suggestStart() {
    const { data } = this.series;
    if (!data?.last_ds) return "";
    const days = hasTime(data.freq) ? FINE_DAYS : COARSE_DAYS;
    return new Date(Date.parse(data.last_ds) - 86_400_000 * days).toISOString().slice(0, 10);
  }

  /** @param {CustomEvent<{ids: string[]}>} event */
  pick(event) {
    adjust({ series: event.detail.ids[0] ?? null, scan: null, run: null, start: null, end: null });
  }

  /** @param {SubmitEvent} event */
  submit(event) {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    adjust({ ...Object.fromEntries(form), run: 1, scan: null });
  }

  /** @returns {import("../parts/scan_result.js").SeriesScan|null} the series that is shown, of a scan that has ended */
  get shown() {
    const scanned = this.isWanted ? this.scan.data?.series : null;
    return scanned?.find((/** @type {{series_id: string}} */ one) => one.series_id === this.query.of) ?? scanned?.[0] ?? null;
  }

  renderScan() {
    const { problem } = this.scan;
    if (problem?.code === "too_many_values" || problem?.code === "scans_busy") return this.renderTooLarge(problem);
    return this.scan.render((scan) => (scan.series ? this.renderResult(scan) : this.renderJob(scan)));
  }

  /** @param {import("../api.js").Problem} problem */
  renderTooLarge(problem) {
    return html`<div class="warning">
      <p>${problem.message}</p>
      <p class="actions"><button type="button" @click=${this.enqueue}>Make it a job</button></p>
    </div>`;
  }

  async enqueue() {
    this.scan.request = (signal) => this.ask(signal, { Prefer: "respond-async" });
    await this.scan.reload();
  }

  /** @param {Scan} scan that a job makes */
  renderJob(scan) {
    const job = html`<a href=${link("jobs/one", { id: this.query.scan })}>Look at its job</a>`;
    if (scan.error) return renderFailure("The scan failed", scan.error, job);
    return html`<section class="card">
      <p role="status">${describeJob(scan)} ${job}</p>
      ${isActive(scan) ? renderMeter(scan.progress.fraction) : nothing}
    </section>`;
  }

  /** @param {Scan} scan */
  renderResult(scan) {
    const request = this.query.scan ? { method: "GET", path: `anomalies/${this.query.scan}` } : { method: "POST", path: "anomalies", body: this.body };
    return html`${scan.series.length > 1 ? this.renderChoice(scan) : nothing}
      <gc-scan-result .scan=${this.shown} .series=${this.series.data} .level=${scan.level} .sort=${this.query.sort ?? ""} .request=${request}></gc-scan-result>`;
  }

  /** @param {Scan} scan of several series */
  renderChoice(scan) {
    return html`<div class="filters">
      <label>Series
        <select @change=${(/** @type {Event} */ event) => adjust({ of: /** @type {HTMLSelectElement} */ (event.target).value })}>
          ${scan.series.map((/** @type {{series_id: string}} */ one) => html`<option value=${one.series_id} ?selected=${one === this.shown}>${one.series_id}</option>`)}
        </select>
      </label>
    </div>`;
  }
}

customElements.define("gc-anomalies", AnomaliesView);
