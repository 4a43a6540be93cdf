/** `<gc-model-schedule .model>`: when a model is trained, refreshed, and forecasts for the archive. Fires `changed`. */

import { html, nothing } from "../vendor/lit.js";
import { call } from "../api.js";
import { Element } from "../element.js";
import { formatTime } from "../format.js";
import { renderProblem } from "../loader.js";
import { describeCron, listNextTimes, PRESETS } from "../schedule_words.js";
import { may } from "../session.js";
import { confirm } from "./confirm.js";
import "./copy.js";
import { notify } from "./notice.js";

const PREVIEWED = 3;
const PARTS = /** @type {const} */ ({ train: "Train again", refresh: "Refresh", forecast: "Archive forecasts" });

/** @typedef {{train: string|null, refresh: string|null, forecast: string|null, timezone: string, train_on_drift: boolean}} Draft */

class ModelSchedule extends Element {
  static properties = {
    model: { attribute: false },
    draft: { state: true },
    failure: { state: true },
  };

  constructor() {
    super();
    /** @type {Record<string, any>|null} */
    this.model = null;
    /** @type {Draft} */
    this.draft = { train: null, refresh: null, forecast: null, timezone: "UTC", train_on_drift: false };
    /** @type {import("../api.js").Problem|null} */
    this.failure = null;
  }

  /** @param {Map<string, any>} changed */
  willUpdate(changed) {
    if (!changed.has("model") || !this.model || changed.get("model")?.name === this.model.name) return;
    const { train = null, refresh = null, forecast = null, timezone = Intl.DateTimeFormat().resolvedOptions().timeZone, train_on_drift = false } = this.model.schedule ?? {};
    this.draft = { train, refresh, forecast, timezone, train_on_drift };
  }

  get path() {
    return `models/${encodeURIComponent(this.model?.name)}/schedule`;
  }

  render() {
    if (!this.model) return nothing;
    return html`<section class="card">
      <h2>Schedule</h2>
      ${this.renderCurrent(this.model.schedule)} ${this.failure ? renderProblem(this.failure) : nothing} ${may("train") ? this.renderForm() : nothing}
    </section>`;
  }

  /** @param {Record<string, any>|null} schedule */
  renderCurrent(schedule) {
    if (!schedule) return html`<p>Nothing is scheduled: it is trained when somebody asks, and nothing goes into the archive by itself.</p>`;
    /** @param {string} cron @param {string} next */
    const say = (cron, next) => `${describeCron(cron)}, next on ${formatTime(next, schedule.timezone)} (${schedule.timezone})`;
    return html`<ul>
      <li>${schedule.train ? `It is trained again ${say(schedule.train, schedule.next_train)}. What comes of it goes live only if it is better.` : "It is not trained by the clock."}</li>
      <li>${schedule.refresh ? `It takes in new values ${say(schedule.refresh, schedule.next_refresh)}.` : "It is not refreshed by the clock."}</li>
      <li>${schedule.forecast ? `Its forecasts go into the archive ${say(schedule.forecast, schedule.next_forecast)}.` : "Its forecasts are not archived."}</li>
      ${schedule.train_on_drift ? html`<li>It is trained as well when its live forecasts have become worse.</li>` : nothing}
    </ul>`;
  }

  renderForm() {
    const { draft } = this;
    return html`<form @submit=${this.save}>
      <div class="columns">${this.model?.builtin ? nothing : [this.renderPart("train"), this.renderPart("refresh")]} ${this.renderPart("forecast")}</div>
      <label class="narrow">Timezone of these times
        <input name="timezone" list="timezones" required .value=${draft.timezone} @change=${(/** @type {Event} */ event) => this.set({ timezone: valueOf(event) })} />
        <datalist id="timezones">${Intl.supportedValuesOf("timeZone").map((zone) => html`<option value=${zone}></option>`)}</datalist>
      </label>
      ${this.model?.builtin ? nothing : html`<label class="check">
        <input type="checkbox" .checked=${draft.train_on_drift} ?disabled=${!draft.forecast} @change=${() => this.set({ train_on_drift: !draft.train_on_drift })} />
        Train also when live forecasts have become worse ${draft.forecast ? nothing : html`<span class="hint">(needs archived forecasts)</span>`}
      </label>`}
      <p class="actions">
        <button class="primary" ?disabled=${!draft.train && !draft.refresh && !draft.forecast}>Save the schedule</button>
        ${this.model?.schedule ? html`<button type="button" class="danger" @click=${this.end}>End the schedule</button>` : nothing}
        <gc-copy .request=${{ method: "PUT", path: this.path, body: this.body }}></gc-copy>
      </p>
    </form>`;
  }

  /** @param {"train"|"refresh"|"forecast"} part */
  renderPart(part) {
    const cron = this.draft[part];
    const times = cron ? listNextTimes(cron, this.draft.timezone, PREVIEWED) : null;
    const isPreset = PRESETS.some((preset) => preset.cron === cron);
    return html`<fieldset>
      <legend>${PARTS[part]}</legend>
      <label>How often
        <select name=${part} @change=${(/** @type {Event} */ event) => this.choose(part, valueOf(event))}>
          <option value="" ?selected=${!cron}>Never</option>
          ${PRESETS.map((preset) => html`<option value=${preset.cron} ?selected=${preset.cron === cron}>${preset.name}</option>`)}
          <option value="own" ?selected=${Boolean(cron) && !isPreset}>By five cron fields</option>
        </select>
      </label>
      ${cron
        ? html`<label>Minute, hour, day, month, day of the week
            <input name=${`${part}-cron`} required spellcheck="false" autocomplete="off" .value=${cron} @input=${(/** @type {Event} */ event) => this.set({ [part]: valueOf(event) })} />
          </label>`
        : nothing}
      ${cron ? html`<p class="hint" role="status">${describePreview(cron, times)}</p>` : nothing}
    </fieldset>`;
  }

  /** @param {"train"|"refresh"|"forecast"} part @param {string} value */
  choose(part, value) {
    if (value === "own") this.set({ [part]: this.draft[part] ?? "30 4 * * 1" });
    else this.set({ [part]: value || null });
  }

  /** @param {Partial<Draft>} changes */
  set(changes) {
    this.draft = { ...this.draft, ...changes };
  }

  get body() {
    return { ...this.draft, train_on_drift: this.draft.train_on_drift && Boolean(this.draft.forecast) };
  }

  /** @param {Event} event */
  save(event) {
    event.preventDefault();
    return this.send("PUT", this.body, "The schedule is saved");
  }

  async end() {
    const isSure = await confirm({ title: "End the schedule?", text: "It is no longer trained, refreshed or archived by the clock. What is archived stays.", action: "End the schedule" });
    if (isSure) await this.send("DELETE", undefined, "The schedule has ended");
  }

  /** @param {string} method @param {unknown} body @param {string} done */
  async send(method, body, done) {
    try {
      await call(method, this.path, { body });
      this.failure = null;
      notify(done);
      this.dispatchEvent(new CustomEvent("changed"));
    } catch (error) {
      this.failure = /** @type {import("../api.js").Problem} */ (error);
    }
  }
}

/** @param {string} cron @param {string[]|null} times */
function describePreview(cron, times) {
  if (!times) return "These are not five fields that are understood: such as 30 4 * * 1, every Monday at 04:30.";
  if (!times.length) return "No time fits these fields.";
  return `That is ${describeCron(cron)}; next ${times.join("; ")}.`;
}

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;

customElements.define("gc-model-schedule", ModelSchedule);
