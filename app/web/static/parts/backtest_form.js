/** `<gc-backtest-form .model>`: asks for a backtest, and goes to it. */

import { html, nothing } from "../vendor/lit.js";
import { get, getAll, post } from "../api.js";
import { Element } from "../element.js";
import { FORECASTERS } from "../judging.js";
import { Loader, renderProblem } from "../loader.js";
import { go } from "../router.js";
import "./copy.js";
import "./series_picker.js";

const BASELINES = ["season_naive", "naive", "drift", "season_mean", "theta", "ets"];
const WINDOWS = 8;
/** series of the champion's training that are suggested */
const MOST_SUGGESTED = 50;

/** @typedef {import("./series_picker.js").Selection} Selection */

class BacktestForm extends Element {
  static properties = {
    model: {},
    chosen: { state: true },
    series: { state: true },
    options: { state: true },
    baselines: { state: true },
    failure: { state: true },
  };

  constructor() {
    super();
    this.model = "";
    this.chosen = "";
    /** @type {Selection|null} */
    this.series = null;
    this.options = { n_windows: WINDOWS, horizon: "", step_size: "", refit: false };
    /** @type {string[]|null} null: the service chooses */
    this.baselines = null;
    /** @type {import("../api.js").Problem|null} */
    this.failure = null;
    /** @type {Loader<Record<string, any>[]>} */
    this.models = new Loader(this, "models");
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    this.models.load("all", (signal) => getAll("models", { limit: 100 }, signal, 1000));
    if (changed.has("model") && this.model) this.choose(this.model);
    const first = this.models.data?.find((model) => model.versions.length && !model.builtin);
    if (!this.chosen && first) this.choose(first.name);
  }

  /** Take a model, and suggest the series that its champion was trained on. @param {string} name */
  async choose(name) {
    this.chosen = name;
    const model = await get(`models/${encodeURIComponent(name)}`).catch(() => null);
    const number = model?.champion ?? model?.versions?.at(-1);
    const version = number ? await get(`models/${encodeURIComponent(name)}/versions/${number}`).catch(() => null) : null;
    if (version && name === this.chosen) this.series = { ids: version.data_span.series.slice(0, MOST_SUGGESTED) };
  }

  get body() {
    const { n_windows, horizon, step_size, refit } = this.options;
    return {
      model: this.chosen,
      series: this.series ?? { ids: [] },
      n_windows: Number(n_windows),
      ...(horizon ? { horizon: Number(horizon) } : {}),
      ...(step_size ? { step_size: Number(step_size) } : {}),
      ...(refit ? { refit } : {}),
      ...(this.baselines ? { baselines: this.baselines } : {}),
    };
  }

  /** @param {Record<string, unknown>} changes */
  set(changes) {
    this.options = { ...this.options, ...changes };
  }

  render() {
    return this.models.render((models) => {
      const usable = models.filter((model) => model.versions.length && !model.builtin);
      if (!usable.length) return html`<p>A backtest needs a model: train one first.</p>`;
      return html`<form @submit=${this.submit}>
        <div class="columns two">
          <div>${this.renderModel(usable)}
            <fieldset>
              <legend>Series</legend>
              <gc-series-picker .value=${this.series} @change=${(/** @type {CustomEvent<Selection>} */ event) => (this.series = event.detail)}></gc-series-picker>
            </fieldset>
          </div>
          <div>${this.renderWindows()} ${this.renderBaselines()}</div>
        </div>
        ${this.failure ? renderProblem(this.failure) : nothing}
        <p class="actions">
          <button class="primary">Start the backtest</button>
          <gc-copy .request=${{ method: "POST", path: "backtest", body: this.body }}></gc-copy>
        </p>
      </form>`;
    });
  }

  /** @param {Record<string, any>[]} models */
  renderModel(models) {
    return html`<label>Model whose configuration is judged
      <select @change=${(/** @type {Event} */ event) => this.choose(valueOf(event))}>
        ${models.map((model) => html`<option value=${model.name} ?selected=${model.name === this.chosen}>${model.name}</option>`)}
      </select>
    </label>`;
  }

  renderWindows() {
    const { n_windows, horizon, step_size, refit } = this.options;
    return html`<div class="filters">
        ${renderNumber("Windows of each series", n_windows, "", true, (value) => this.set({ n_windows: value }))}
        ${renderNumber("Horizon", horizon, "the model's", false, (value) => this.set({ horizon: value }))}
        ${renderNumber("Steps between windows", step_size, "the horizon", false, (value) => this.set({ step_size: value }))}
      </div>
      <label class="check">
        <input type="checkbox" .checked=${refit} @change=${() => this.set({ refit: !refit })} />
        Train anew before each window: much slower, as it would be with a schedule
      </label>`;
  }

  renderBaselines() {
    return html`<fieldset>
      <legend>Beside</legend>
      <label class="check">
        <input type="checkbox" .checked=${!this.baselines} @change=${() => (this.baselines = this.baselines ? null : BASELINES)} />All that take seconds
      </label>
      ${this.baselines
        ? html`<div class="choices">
            ${BASELINES.map(
              (name) => html`<label class="check">
                <input type="checkbox" .checked=${this.baselines?.includes(name) ?? true} @change=${() => this.toggle(name)} />${FORECASTERS[name]}
              </label>`,
            )}
          </div>`
        : nothing}
    </fieldset>`;
  }

  /** @param {string} name */
  toggle(name) {
    const chosen = this.baselines ?? BASELINES;
    this.baselines = chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name];
  }

  /** @param {Event} event */
  async submit(event) {
    event.preventDefault();
    try {
      this.failure = null;
      const job = await post("backtest", this.body);
      go("backtests/one", { id: job.id });
    } catch (error) {
      this.failure = /** @type {import("../api.js").Problem} */ (error);
    }
  }
}

/** @param {string} text @param {unknown} value @param {string} placeholder @param {boolean} isRequired @param {(value: string) => void} change */
function renderNumber(text, value, placeholder, isRequired, change) {
  return html`<label>${text}
    <input
      type="number"
      min="1"
      max="10000"
      class="short"
      .value=${String(value)}
      placeholder=${placeholder}
      ?required=${isRequired}
      @input=${(/** @type {Event} */ event) => change(valueOf(event))}
    />
  </label>`;
}

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;

customElements.define("gc-backtest-form", BacktestForm);
