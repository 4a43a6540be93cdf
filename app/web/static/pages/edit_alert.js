/** An alert as a form: a new one, begun with what the address says, or one that exists. */

import { html, nothing } from "../vendor/lit.js";
import { describePatience, describeRule, SUBJECTS } from "../alert_words.js";
import { call, get, getAll, Problem } from "../api.js";
import { View } from "../element.js";
import { formatSentence } from "../format.js";
import { Loader, renderEmpty, renderProblem } from "../loader.js";
import { renderCondition } from "../parts/alert/condition.js";
import { OF_SERIES, readDraft, startDraft, writeBody } from "../parts/alert/draft.js";
import { renderReceivers } from "../parts/alert/receivers.js";
import { renderModelSeries } from "../parts/model_series.js";
import { notify } from "../parts/notice.js";
import { writeSelection } from "../parts/selection.js";
import { adjust, go, link } from "../router.js";
import { may } from "../session.js";

/** @typedef {import("../parts/alert/draft.js").Draft} Draft */
/** @typedef {Record<string, any>} Model */

const MOST_MODELS = 1000;

class EditAlertView extends View {
  static properties = { ...View.properties, draft: { state: true }, failure: { state: true } };

  constructor() {
    super();
    /** @type {Loader<{models: Model[], alert: import("../alert_words.js").Alert|null}>} */
    this.loaded = new Loader(this, "alert");
    /** @type {Loader<boolean>} whether what the alert reads is made at all */
    this.evidence = new Loader(this, "schedule");
    /** @type {Draft|null} */
    this.draft = null;
    /** @type {import("../api.js").Problem|null} */
    this.failure = null;
  }

  get heading() {
    return this.query.name ? `Edit ${this.query.name}` : "New alert";
  }

  /** @returns {Model[]} that alerts can be about */
  get models() {
    return (this.loaded.data?.models ?? []).filter((model) => model.freq !== null);
  }

  /** @returns {Model|undefined} */
  get model() {
    return this.models.find(({ name }) => name === this.draft?.model);
  }

  willUpdate() {
    const { name } = this.query;
    this.loaded.load(name, async (signal) => {
      const [models, alert] = await Promise.all([getAll("models", { limit: 100 }, signal, MOST_MODELS), name ? get(`alerts/${encodeURIComponent(name)}`, {}, signal) : null]);
      this.draft = alert ? readDraft(alert) : startDraft(this.query);
      return { models, alert };
    });
    if (this.draft && !this.draft.model && !["job", "data"].includes(this.draft.on)) this.draft = { ...this.draft, model: this.models[0]?.name ?? "" };
    const { on = "job" } = this.draft ?? {};
    this.evidence.load([on, this.model?.name], (signal) => hasEvidence(on, this.model, signal));
  }

  render() {
    return html`<div class="head">
        <div>
          <p class="sub"><a href=${link("alerts")}>All alerts</a></p>
          <h1 tabindex="-1">${this.heading}</h1>
        </div>
      </div>
      ${may("write") ? this.loaded.render(() => (this.draft ? this.renderForm(this.draft) : nothing)) : renderEmpty("Your key may only read. Ask who runs the service for one that may write.", nothing)}`;
  }

  /** @param {Draft} draft */
  renderForm(draft) {
    const rule = writeBody(draft);
    return html`<form @submit=${this.save}>
      <div class="columns two">
        <div>
          <section class="card"><h2>What it watches</h2>${this.renderSubject(draft)}</section>
          <section class="card">
            <h2>When it fires</h2>
            <p role="status">${isSaid(draft) ? `${formatSentence(describeRule(rule))} ${describePatience(rule)}` : "Say what it watches, and the threshold."}</p>
            ${renderCondition(draft, this.model?.quantiles ?? [], (changes) => this.change(changes))} ${this.renderAdvice(draft)}
          </section>
        </div>
        <div>
          <section class="card"><h2>Who is told</h2>${renderReceivers(draft.send, (send) => this.change({ send }))}</section>
        </div>
      </div>
      ${this.failure ? renderProblem(this.failure) : nothing}
      <p class="actions">
        <button class="primary">${this.query.name ? "Save the alert" : "Set the alert"}</button>
        <a class="button" href=${this.query.name ? link("alerts/one", { name: this.query.name }) : link("alerts")}>Cancel</a>
      </p>
    </form>`;
  }

  /** @param {Draft} draft */
  renderSubject(draft) {
    return html`${this.query.name
        ? nothing
        : html`<label>Name
            <input name="name" required maxlength="100" pattern="[A-Za-z0-9._\\-]+" title="Letters, digits, dots, dashes and underscores" autocomplete="off" spellcheck="false" placeholder="busy-tomorrow"
              .value=${draft.name} @input=${(/** @type {Event} */ event) => this.change({ name: valueOf(event) })} />
          </label>`}
      <label>Something happens
        <select name="on" @change=${(/** @type {Event} */ event) => this.turnTo(/** @type {Draft["on"]} */ (valueOf(event)))}>
          ${Object.entries(SUBJECTS).map(([on, text]) => html`<option value=${on} ?selected=${on === draft.on}>${text}</option>`)}
        </select>
      </label>
      ${draft.on === "data" ? nothing : this.renderModels(draft)}
      ${OF_SERIES.includes(draft.on) ? renderModelSeries(draft.selection, nameAll(draft), (selection) => this.choose({ selection })) : nothing}`;
  }

  /** @param {Draft} draft */
  renderModels({ on, model }) {
    const gone = model && !this.model ? [model] : [];
    return html`<label>Model
      <select name="model" ?required=${on !== "job"} @change=${(/** @type {Event} */ event) => this.choose({ model: valueOf(event) })}>
        ${on === "job" ? html`<option value="" ?selected=${!model}>any model</option>` : nothing}
        ${[...gone, ...this.models.map(({ name }) => name)].map((name) => html`<option value=${name} ?selected=${name === model}>${name}</option>`)}
      </select>
    </label>`;
  }

  /** Say what is to be done before anything can be judged. @param {Draft} draft */
  renderAdvice({ on, model }) {
    if (this.evidence.isLoading || this.evidence.data !== false || !model) return nothing;
    if (on === "anomaly") return html`<p class="warning">Nothing is judged yet: ${model} scans no values as they arrive. <a href=${link("models/one", { name: model, tab: "watch" })}>Switch its watch on</a>.</p>`;
    return html`<p class="warning">Nothing is judged yet: ${model} makes no forecasts by a schedule. <a href=${link("models/one", { name: model, tab: "schedule" })}>Set one</a>.</p>`;
  }

  /** @param {Partial<Draft>} changes */
  change(changes) {
    this.draft = { .../** @type {Draft} */ (this.draft), ...changes };
  }

  /** @param {Draft["on"]} on */
  turnTo(on) {
    this.choose(on === "job" ? { on, model: "" } : { on });
  }

  /** Change what the address says as well. @param {Partial<Draft>} changes */
  choose(changes) {
    this.change(changes);
    const { on, model, selection } = /** @type {Draft} */ (this.draft);
    if (!this.query.name) adjust({ on, model, ...writeSelection(selection), all: null });
  }

  /** @param {SubmitEvent} event */
  async save(event) {
    event.preventDefault();
    const draft = /** @type {Draft} */ (this.draft);
    try {
      checkSelection(draft);
      if (!this.query.name) await checkName(draft.name);
      await call("PUT", `alerts/${encodeURIComponent(draft.name)}`, { body: dropEmpty(writeBody(draft)) });
      notify(`${draft.name} is ${this.query.name ? "saved" : "set"}`);
      go("alerts/one", { name: draft.name });
    } catch (error) {
      this.failure = /** @type {import("../api.js").Problem} */ (error);
    }
  }
}

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;

/** @type {Record<string, string>} */
const MADE = { forecast: "forecasts", anomaly: "watches" };

/** Name all series that an alert can be about. @param {Draft} draft */
const nameAll = ({ on, model }) => (on === "data" ? "All series" : `All that ${model} ${MADE[on]}`);

/** @param {Draft} draft @returns {boolean} whether it can be put into words */
const isSaid = ({ on, model, threshold, within, silent }) =>
  (on !== "forecast" || (threshold !== "" && within.count !== "")) && (on !== "data" || silent.count !== "") && (Boolean(model) || on === "job" || on === "data");

/** @param {Record<string, any>} body */
const dropEmpty = (body) => Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));

/** @param {string} title @param {string} detail */
const refuse = (title, detail) => new Problem({ status: 0, code: "incomplete", title, detail });

/** Throws Problem where nothing is chosen. @param {Draft} draft */
function checkSelection({ on, selection }) {
  if (!OF_SERIES.includes(on) || selection === "all") return;
  const isEmpty = "ids" in selection ? !selection.ids.length : !Object.keys(selection.labels).length;
  if (isEmpty) throw refuse("No series is chosen", "Choose some by id or by label, or take all.");
}

/** Throws Problem where there is an alert of that name. @param {string} name */
async function checkName(name) {
  const isFree = await get(`alerts/${encodeURIComponent(name)}`).then(
    () => false,
    (problem) => {
      if (problem.status === 404) return true;
      throw problem;
    },
  );
  if (!isFree) throw refuse("The name is taken", `There is an alert ${name} already. Choose another name, or edit that one.`);
}

/** Return whether forecasts or scans that an alert reads are made. @param {Draft["on"]} on @param {Model|undefined} model @param {AbortSignal} signal */
async function hasEvidence(on, model, signal) {
  if (!model || on === "job" || on === "data") return true;
  if (on !== "anomaly") return Boolean(model.schedule?.forecast);
  return get(`models/${encodeURIComponent(model.name)}/watch`, {}, signal).then(
    () => true,
    (problem) => {
      if (problem.status === 404) return false;
      throw problem;
    },
  );
}

customElements.define("gc-edit-alert", EditAlertView);
