/** Train: which series, how far ahead, what else is read; what that takes and what may surprise it, before it starts. */

import { html, nothing } from "../vendor/lit.js";
import { call, get } from "../api.js";
import { View } from "../element.js";
import { Loader, renderProblem } from "../loader.js";
import "../parts/copy.js";
import { makeKey } from "../parts/import/sender.js";
import { readSelection, writeSelection } from "../parts/selection.js";
import { getFirstSeries } from "../parts/series_picker.js";
import { loadSettings } from "../parts/train/again.js";
import "../parts/train/covariates.js";
import { describeHorizon, suggestHorizons } from "../parts/train/horizon.js";
import { renderName, suggestName } from "../parts/train/name.js";
import "../parts/train/options.js";
import { isRefusal, renderPreflight, renderRefusal } from "../parts/train/preflight.js";
import { adjust, go } from "../router.js";
import { may } from "../session.js";

/** @typedef {import("../parts/selection.js").Selection} Selection */

const DELAY = 400;

class TrainView extends View {
  static properties = { ...View.properties, trouble: { state: true }, isStarting: { state: true } };

  constructor() {
    super();
    /** @type {Loader<import("../parts/train/again.js").Settings>} of the model that is trained again */
    this.again = new Loader(this, "the model's settings");
    /** @type {Loader<any>} one of the chosen series, by which horizon and covariates are suggested */
    this.sample = new Loader(this, "series");
    /** @type {Loader<any>} */
    this.models = new Loader(this, "models");
    /** @type {Loader<any>} */
    this.preview = new Loader(this, "estimate");
    /** @type {import("../api.js").Problem|null} */
    this.trouble = null;
    this.isStarting = false;
    this.key = makeKey();
    this.timer = 0;
    this.asked = "";
  }

  get heading() {
    return "Train";
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearTimeout(this.timer);
  }

  willUpdate() {
    if (!may("train")) return;
    const { model } = this.query;
    if (model) this.again.load(model, (signal) => loadSettings(model, signal));
    this.models.load("models", (signal) => get("models", { limit: 1000 }, signal));
    const series = this.series;
    this.sample.load(series, (signal) => getFirstSeries(series, signal));
    this.prepare();
  }

  /** Ask for the estimate once the form rests. */
  prepare() {
    const body = this.body;
    const asked = JSON.stringify(body);
    if (asked === this.asked) return;
    this.asked = asked;
    this.key = makeKey();
    this.trouble = null;
    clearTimeout(this.timer);
    if (!body) return;
    this.timer = setTimeout(() => this.preview.load(body, (signal) => call("POST", "train", { query: { dry_run: true }, body, signal })), DELAY);
  }

  /** @returns {Selection|null} */
  get series() {
    const given = readSelection(this.query);
    const before = this.again.data?.series ?? [];
    return given ?? (before.length ? { ids: before } : null);
  }

  /** @returns {number|null} */
  get horizon() {
    const given = Number(this.query.horizon);
    return given || this.again.data?.horizon || suggestHorizons(this.sample.data?.freq)[0]?.steps || null;
  }

  /** @returns {string} */
  get model() {
    return this.query.name ?? this.query.model ?? suggestName(this.series);
  }

  /** @returns {Record<string, any>} what the body has besides model, series and horizon */
  get options() {
    if (!this.query.with) return this.again.data?.options ?? {};
    try {
      return Object(JSON.parse(this.query.with));
    } catch {
      return {};
    }
  }

  /** @returns {Record<string, any>|null} null where something is wanting */
  get body() {
    const { series, horizon, model } = this;
    const isChosen = series === "all" || (series && ("ids" in series ? series.ids.length : Object.keys(series.labels).length));
    if (!isChosen || !horizon || !model || (this.query.model && !this.again.data)) return null;
    return { model, series, horizon, ...this.options };
  }

  render() {
    const title = html`<h1 tabindex="-1">Train a model</h1>`;
    if (!may("train")) return html`${title}<div class="empty"><p>Your key may not train. Ask who runs the service for one with the scope <code>train</code>.</p></div>`;
    const { body } = this;
    return html`<div class="head"><div>${title}<p class="sub">${this.renderSub()}</p></div></div>
      ${this.again.problem ? renderProblem(this.again.problem, () => this.again.reload()) : nothing}
      <div class="wide-first train">
        <div>
          ${this.renderSeries()} ${this.renderHorizon()} ${this.renderCovariates()} ${this.renderAdvanced()}
        </div>
        <aside aria-label="Before it starts">${this.renderStart(body)}</aside>
        ${body
          ? html`<section class="card call" aria-label="The same as a call">
              <h2>The same as a call</h2>
              <gc-copy shown .request=${{ method: "POST", path: "train", body }}></gc-copy>
            </section>`
          : nothing}
      </div>`;
  }

  renderSub() {
    const { data } = this.again;
    if (!data?.version) return "Series and horizon are enough; everything else is chosen from the data.";
    return html`As version ${data.version} of ${data.model} was trained.
      ${this.options.network || this.options.training
        ? html`<button type="button" class="link" @click=${this.forgetNetwork}>Let network and training be chosen anew</button>`
        : nothing}`;
  }

  forgetNetwork() {
    const { network: _network, training: _training, ...options } = this.options;
    this.setOptions(options);
  }

  renderSeries() {
    return html`<section class="card" aria-label="Series">
      <h2>Which series</h2>
      <gc-series-picker .value=${this.series} @change=${(/** @type {CustomEvent<Selection>} */ event) => adjust(writeSelection(event.detail))}></gc-series-picker>
    </section>`;
  }

  renderHorizon() {
    const suggestions = suggestHorizons(this.sample.data?.freq);
    const { horizon } = this;
    const words = describeHorizon(this.sample.data?.freq, horizon);
    return html`<section class="card" aria-label="Horizon">
      <h2>How far ahead</h2>
      <div class="horizon">
        <label>Horizon in steps
          <input id="train-horizon" type="number" min="1" max="10000" required .value=${String(horizon ?? "")} @change=${(/** @type {any} */ event) => adjust({ horizon: event.target.value })} />
        </label>
        <div class="actions" role="group" aria-label="Suggested horizons">
          ${suggestions.map(
            ({ steps, words: label }) => html`<button type="button" aria-pressed=${steps === horizon} @click=${() => adjust({ horizon: steps })}>${steps} = ${label}</button>`,
          )}
        </div>
      </div>
      <p class="hint" role="status">${this.sayHorizon(words)}</p>
    </section>`;
  }

  /** @param {string} words */
  sayHorizon(words) {
    const { freq, id } = this.sample.data ?? {};
    if (!freq) return "Choose series: what suits their frequency is suggested here.";
    if (words) return `Each forecast looks ${words} ahead.`;
    return `Each forecast has ${this.horizon} steps of ${freq}, the frequency of ${id}.`;
  }

  renderCovariates() {
    return html`<section class="card" aria-label="Covariates">
      <h2>What else the model reads</h2>
      <gc-covariate-roles
        .value=${this.options.covariates ?? {}}
        .statics=${Object.keys(this.sample.data?.static ?? {})}
        @roles=${(/** @type {CustomEvent} */ event) => this.setOptions({ ...this.options, covariates: event.detail })}
      ></gc-covariate-roles>
    </section>`;
  }

  renderAdvanced() {
    const { covariates, ...values } = this.options;
    return html`<gc-train-options
      .values=${values}
      @values=${(/** @type {CustomEvent} */ event) => this.setOptions({ ...event.detail, ...(covariates ? { covariates } : {}) })}
    ></gc-train-options>`;
  }

  /** @param {Record<string, any>} options */
  setOptions(options) {
    const { covariates, ...rest } = options;
    const kept = covariates && Object.keys(covariates).length ? { ...rest, covariates } : rest;
    adjust({ with: Object.keys(kept).length || this.again.data ? JSON.stringify(kept) : null });
  }

  /** @param {Record<string, any>|null} body */
  renderStart(body) {
    return html`<div class="card start">
      ${renderName(this.model, this.models.data?.items ?? [], (name) => adjust({ name }))}
      ${body ? this.renderOutlook() : html`<p class="hint">Choose series and a horizon: what the training takes, and what may surprise it, shows here.</p>`}
      <button type="button" class="primary" ?disabled=${!body || isRefusal(this.preview.problem) || this.isStarting} @click=${this.start}>${this.isStarting ? "Starting …" : "Start"}</button>
    </div>`;
  }

  renderOutlook() {
    const problem = this.trouble ?? this.preview.problem;
    if (!problem) return this.preview.render(renderPreflight);
    if (!isRefusal(problem)) return renderProblem(problem, () => (this.trouble ? this.start() : this.preview.reload()));
    return renderRefusal(problem, (field) => this.openField(field));
  }

  /** Go to what was refused. @param {string} field such as `body.network.hidden` */
  openField(field) {
    const name = field.replace(/^body\./, "");
    const own = /** @type {HTMLElement|null} */ (this.querySelector(`[id="train-${name}"]`));
    if (own) own.focus();
    else /** @type {any} */ (this.querySelector("gc-train-options")).open(name);
  }

  async start() {
    this.isStarting = true;
    this.trouble = null;
    try {
      const job = await call("POST", "train", { body: this.body, headers: { "Idempotency-Key": this.key } });
      go("jobs/one", { id: job.id });
    } catch (error) {
      this.trouble = /** @type {import("../api.js").Problem} */ (error);
    }
    this.isStarting = false;
  }
}

customElements.define("gc-train", TrainView);
