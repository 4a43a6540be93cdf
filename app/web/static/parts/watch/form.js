/** `<gc-watch-form .model .watch>`: which series are scanned, what is an alarm, and what is left out. Fires `saved`. */

import { html, nothing } from "../../vendor/lit.js";
import { call } from "../../api.js";
import { Element } from "../../element.js";
import { renderProblem } from "../../loader.js";
import { adjust } from "../../router.js";
import { renderModelSeries } from "../model_series.js";
import { notify } from "../notice.js";
import { renderIgnored, readRule, writeRule } from "./ignoring.js";

const LEVEL = "0.999";

/** @typedef {import("../series_picker.js").Selection} Selection */
/** @typedef {{selection: Selection, measure: "level"|"alarms_per_week", amount: string, ahead: string, ignore: import("./ignoring.js").Row[]}} Draft "all": what the champion's training is about */

/** @param {import("../../watch_words.js").Watch|null} watch @returns {Draft} */
function readDraft(watch) {
  if (!watch) return { selection: "all", measure: "level", amount: LEVEL, ahead: "1", ignore: [] };
  const { series, level, alarms_per_week, ahead, ignore } = watch;
  return {
    selection: Array.isArray(series) ? { ids: series } : (series ?? "all"),
    measure: alarms_per_week === null ? "level" : "alarms_per_week",
    amount: String(alarms_per_week ?? level),
    ahead: String(ahead),
    ignore: ignore.map(readRule),
  };
}

/** @param {Draft} draft */
function writeBody({ selection, measure, amount, ahead, ignore }) {
  const series = selection !== "all" && "ids" in selection ? selection.ids : selection;
  return { ...(series === "all" ? {} : { series }), [measure]: Number(amount), ahead: Number(ahead), ignore: ignore.map(writeRule) };
}

class WatchForm extends Element {
  static properties = { model: { attribute: false }, watch: { attribute: false }, draft: { state: true }, failure: { state: true } };

  constructor() {
    super();
    /** @type {Record<string, any>|null} */
    this.model = null;
    /** @type {import("../../watch_words.js").Watch|null} null: it is off */
    this.watch = null;
    /** @type {Draft|null} */
    this.draft = null;
    /** @type {import("../../api.js").Problem|null} */
    this.failure = null;
  }

  willUpdate() {
    this.draft ??= readDraft(this.watch);
  }

  render() {
    const draft = /** @type {Draft} */ (this.draft);
    return html`<form class="card" @submit=${this.save}>
      <h2>${this.watch ? "Change the watch" : "Switch the watch on"}</h2>
      <div class="columns two">
        <div>${this.renderSeries(draft)} ${this.renderAhead(draft)}</div>
        <div>
          ${this.renderMeasure(draft)}
          <fieldset><legend>Never an alarm</legend>${renderIgnored(draft.ignore, (ignore) => this.set({ ignore }))}</fieldset>
        </div>
      </div>
      ${this.failure ? renderProblem(this.failure) : nothing}
      <p class="actions">
        <button class="primary">${this.watch ? "Save the watch" : "Switch it on"}</button>
        <button type="button" @click=${() => adjust({ edit: null })}>Cancel</button>
      </p>
    </form>`;
  }

  /** @param {Draft} draft */
  renderSeries({ selection }) {
    return renderModelSeries(selection, "Those that the champion's training is about", (changed) => this.set({ selection: changed }));
  }

  /** @param {Draft} draft */
  renderAhead({ ahead }) {
    return html`<label>Steps before a value that it is forecast from
        <input class="few" name="ahead" type="number" min="1" max=${this.model?.horizon} step="1" required .value=${ahead} @input=${(/** @type {Event} */ event) => this.set({ ahead: valueOf(event) })} />
      </label>
      <p class="hint">1 finds what is sudden; more finds what creeps.</p>`;
  }

  /** @param {Draft} draft */
  renderMeasure({ measure, amount }) {
    const isLevel = measure === "level";
    return html`<fieldset>
      <legend>What is an alarm</legend>
      <div class="choices">
        <label class="check"><input type="radio" name="measure" .checked=${isLevel} @change=${() => this.set({ measure: "level", amount: LEVEL })} />By a level</label>
        <label class="check"><input type="radio" name="measure" .checked=${!isLevel} @change=${() => this.set({ measure: "alarms_per_week", amount: "5" })} />As many as a person can read</label>
      </div>
      <label>${isLevel ? "Share of ordinary values that are no alarm" : "Alarms a week, of all series together"}
        <input class="few" name="amount" type="number" min="0.0001" max=${isLevel ? "0.999999" : "1000000"} step="any" required .value=${amount} @input=${(/** @type {Event} */ event) => this.set({ amount: valueOf(event) })} />
      </label>
    </fieldset>`;
  }

  /** @param {Partial<Draft>} changes */
  set(changes) {
    this.draft = { .../** @type {Draft} */ (this.draft), ...changes };
  }

  /** @param {SubmitEvent} event */
  async save(event) {
    event.preventDefault();
    try {
      await call("PUT", `models/${encodeURIComponent(this.model?.name)}/watch`, { body: writeBody(/** @type {Draft} */ (this.draft)) });
      notify(this.watch ? "The watch is saved" : "The watch is on");
      this.dispatchEvent(new CustomEvent("saved"));
      adjust({ edit: null });
    } catch (error) {
      this.failure = /** @type {import("../../api.js").Problem} */ (error);
    }
  }
}

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;

customElements.define("gc-watch-form", WatchForm);
