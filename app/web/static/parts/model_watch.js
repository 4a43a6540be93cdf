/** `<gc-model-watch .model .query>`: scanning of values as they arrive: on or off, what it found, and what people say of it. */

import { html, nothing } from "../vendor/lit.js";
import { call, get } from "../api.js";
import { Element } from "../element.js";
import { formatSentence } from "../format.js";
import { Loader, renderEmpty, renderProblem } from "../loader.js";
import { adjust, link } from "../router.js";
import { may } from "../session.js";
import { loadStyle } from "../style.js";
import { Ticker } from "../ticker.js";
import { describeVerdicts, describeWatch } from "../watch_words.js";
import { confirm } from "./confirm.js";
import "./copy.js";
import { notify } from "./notice.js";
import "./watch/alarms.js";

/** @typedef {import("../watch_words.js").Watch} Watch */
/** @typedef {{watch: Watch|null, alarms: import("../watch_words.js").Alarm[], next: string|null}} Loaded */

class ModelWatch extends Element {
  static properties = { model: { attribute: false }, query: { attribute: false }, failure: { state: true } };

  constructor() {
    super();
    /** @type {Record<string, any>|null} */
    this.model = null;
    /** @type {Record<string, string>} of the address: `cursor`, `edit` */
    this.query = {};
    /** @type {import("../api.js").Problem|null} */
    this.failure = null;
    /** @type {Loader<Loaded>} */
    this.loaded = new Loader(this, "watch");
    this.ticker = new Ticker(this, () => this.loaded.reload());
  }

  get path() {
    return `models/${encodeURIComponent(this.model?.name)}/watch`;
  }

  willUpdate() {
    if (!this.model) return;
    const { path } = this;
    const { cursor, series } = this.query;
    this.loaded.load([path, cursor, series], async (signal) => {
      const [watch, page] = await Promise.all([getWatch(path, signal), get(`${path}/alarms`, { cursor, series, limit: 50 }, signal)]);
      return { watch, alarms: page.items, next: page.next_cursor };
    });
    this.ticker.isWanted = Boolean(this.loaded.data?.watch);
    if (this.query.edit && may("write")) {
      loadStyle("forms.css");
      import("./watch/form.js");
    }
  }

  render() {
    if (!this.model) return nothing;
    return html`${this.failure ? renderProblem(this.failure) : nothing} ${this.loaded.render((loaded) => this.renderLoaded(loaded))}`;
  }

  /** @param {Loaded} loaded */
  renderLoaded(loaded) {
    const isEditing = Boolean(this.query.edit) && may("write");
    return html`${loaded.watch ? this.renderWatch(loaded.watch, isEditing) : nothing}
      ${isEditing ? html`<gc-watch-form .model=${this.model} .watch=${loaded.watch} @saved=${this.refresh}></gc-watch-form>` : nothing}
      ${loaded.watch || isEditing ? nothing : this.renderOff()} ${loaded.watch || loaded.alarms.length ? this.renderAlarms(loaded) : nothing}`;
  }

  renderOff() {
    const next = may("write") ? html`<p class="actions"><button type="button" class="primary" @click=${() => adjust({ edit: 1 })}>Switch it on</button></p>` : nothing;
    return html`<div class="spaced">${renderEmpty("The watch is off: it would compare each value, as it arrives, with what was forecast of it, and raise an alarm where that was improbable.", next)}</div>`;
  }

  /** @param {Watch} watch @param {boolean} isEditing */
  renderWatch(watch, isEditing) {
    const { name } = /** @type {any} */ (this.model);
    const { errors, problem } = watch;
    return html`<section class="card">
      <div class="head">
        <h2>Watch <span class="badge good">on</span></h2>
        ${may("write")
          ? html`<span class="actions">
              <a class="button" href=${link("alerts/edit", { on: "anomaly", model: name })}>Alert me</a>
              ${isEditing ? nothing : html`<button type="button" @click=${() => adjust({ edit: 1 })}>Change it</button>`}
              <button type="button" class="danger" @click=${this.end}>Switch it off</button>
            </span>`
          : nothing}
      </div>
      <p>${describeWatch(watch)}</p>
      <p class="lead">${describeVerdicts(watch)}</p>
      ${problem ? html`<p class="warning">The last scan could judge nothing: ${formatSentence(problem)}</p>` : nothing}
      ${errors.length
        ? html`<details><summary>${errors.length} of its series cannot be scanned</summary><ul>${errors.map((/** @type {any} */ one) => html`<li><a href=${link("series/one", { id: one.series })}>${one.series}</a>: ${one.detail}</li>`)}</ul></details>`
        : nothing}
      <gc-copy .request=${may("write") ? { method: "PUT", path: this.path, body: writeWatch(watch) } : { method: "GET", path: this.path }}></gc-copy>
    </section>`;
  }

  /** @param {Loaded} loaded */
  renderAlarms({ alarms, next }) {
    const { name, freq } = /** @type {any} */ (this.model);
    const { cursor, series } = this.query;
    return html`<gc-watch-alarms .model=${name} .freq=${freq} .alarms=${alarms} .series=${series ?? ""} @changed=${this.refresh} @failed=${this.fail}></gc-watch-alarms>
      <p class="actions">
        ${cursor ? html`<button type="button" @click=${() => adjust({ cursor: null })}>Newest</button>` : nothing}
        ${next ? html`<button type="button" @click=${() => adjust({ cursor: next })}>Older</button>` : nothing}
      </p>`;
  }

  async end() {
    const isSure = await confirm({ title: "Switch the watch off?", text: "Values that come are no longer scanned. Its alarms and what people said of them stay; alerts that read it get nothing new.", action: "Switch it off", isHarmless: true });
    if (!isSure) return;
    try {
      await call("DELETE", this.path);
      notify("The watch is off");
      this.refresh();
    } catch (error) {
      this.failure = /** @type {import("../api.js").Problem} */ (error);
    }
  }

  /** @param {CustomEvent<import("../api.js").Problem>} event */
  fail(event) {
    this.failure = event.detail;
  }

  refresh() {
    this.failure = null;
    return this.loaded.reload();
  }
}

/** @param {string} path @param {AbortSignal} signal @returns {Promise<Watch|null>} null where it is off */
const getWatch = (path, signal) =>
  get(path, {}, signal).catch((problem) => {
    if (problem.code === "watch_not_found") return null;
    throw problem;
  });

/** Return a watch as it is set. @param {Watch} watch */
function writeWatch({ series, level, alarms_per_week, ahead, ignore }) {
  return Object.fromEntries(Object.entries({ series, level, alarms_per_week, ahead, ignore }).filter(([, value]) => value !== null));
}

customElements.define("gc-model-watch", ModelWatch);
