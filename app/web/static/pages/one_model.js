/** One model: its champion, its versions, how its forecasts came true, and its schedule. */

import { html, nothing } from "../vendor/lit.js";
import { call, get, getAll } from "../api.js";
import { View } from "../element.js";
import { formatAgo, formatCount } from "../format.js";
import { nameVersion } from "../judging.js";
import { Loader, renderEmpty, renderProblem } from "../loader.js";
import { confirm } from "../parts/confirm.js";
import { notify } from "../parts/notice.js";
import { go, link } from "../router.js";
import { may } from "../session.js";

const MOST_VERSIONS = 500;
const TABS = { champion: "Champion", versions: "Versions", skill: "Skill", schedule: "Schedule", watch: "Watch" };

/** @typedef {{model: Record<string, any>, versions: Record<string, any>[]}} Loaded */

class OneModelView extends View {
  static properties = {
    ...View.properties,
    failure: { state: true },
  };

  constructor() {
    super();
    /** @type {Loader<Loaded>} */
    this.loaded = new Loader(this, "model");
    /** @type {import("../api.js").Problem|null} */
    this.failure = null;
  }

  get heading() {
    return this.query.name ?? "Model";
  }

  get path() {
    return `models/${encodeURIComponent(this.query.name ?? "")}`;
  }

  /** @returns {keyof typeof TABS} */
  get tab() {
    return this.query.tab in TABS ? /** @type {keyof typeof TABS} */ (this.query.tab) : "champion";
  }

  willUpdate() {
    if (!this.query.name) return;
    const { path } = this;
    this.loaded.load(path, async (signal) => {
      const [model, versions] = await Promise.all([get(path, {}, signal), getAll(`${path}/versions`, {}, signal, MOST_VERSIONS)]);
      return { model, versions };
    });
    if (this.tab === "champion" || this.query.version) {
      import("../parts/version_card.js");
      import("../parts/version_revisions.js");
    }
    if (this.tab === "versions") {
      import("../parts/version_table.js");
      import("../parts/version_comparison.js");
    }
    if (this.tab === "skill") import("../parts/model_skill.js");
    if (this.tab === "schedule") import("../parts/model_schedule.js");
    if (this.tab === "watch") import("../parts/model_watch.js");
  }

  render() {
    if (!this.query.name) return html`<h1 tabindex="-1">Model</h1><p>No model was named. <a href=${link("models")}>Go to the models.</a></p>`;
    return html`<div class="head">
        <div>
          <p class="sub"><a href=${link("models")}>All models</a></p>
          <h1 tabindex="-1">${this.query.name}</h1>
          ${this.loaded.data ? html`<p class="sub">${describeModel(this.loaded.data)}</p>` : nothing}
        </div>
        ${this.loaded.data && !this.loaded.data.model.builtin ? this.renderActions() : nothing}
      </div>
      ${this.failure ? renderProblem(this.failure) : nothing} ${this.loaded.render((loaded) => this.renderLoaded(loaded))}`;
  }

  renderActions() {
    return html`<div class="actions">
      <a class="button" href=${link("anomalies", { model: this.query.name })}>Find anomalies</a>
      ${may("train")
        ? html`<a class="button" href=${link("backtests", { model: this.query.name })}>Backtest</a>
            ${this.loaded.data?.model.champion ? html`<button type="button" @click=${this.takeIn}>Refresh</button>` : nothing}
            <a class="button primary" href=${link("train", { model: this.query.name })}>Train again</a>
            <button type="button" class="danger" @click=${this.discard}>Delete</button>`
        : nothing}
    </div>`;
  }

  /** Begin a refresh, and go and watch it. */
  async takeIn() {
    try {
      const job = await call("POST", `${this.path}/refresh`);
      go("jobs/one", { id: job.id });
    } catch (error) {
      this.failure = /** @type {import("../api.js").Problem} */ (error);
    }
  }

  async discard() {
    const { name } = this.query;
    const isSure = await confirm({
      title: `Delete ${name}?`,
      text: "All of its versions go with their files, and nothing can be forecast with it any more. Its jobs stay in the list. This cannot be undone.",
      action: "Delete the model",
      name,
    });
    if (!isSure) return;
    try {
      await call("DELETE", this.path);
      notify(`${name} is deleted`);
      go("models");
    } catch (error) {
      this.failure = /** @type {import("../api.js").Problem} */ (error);
    }
  }

  /** @param {Loaded} loaded */
  renderLoaded(loaded) {
    const { name } = this.query;
    return html`<nav class="tabs" aria-label="About the model">
        ${Object.entries(loaded.model.freq === null ? { champion: TABS.champion } : TABS).map(
          ([tab, text]) => html`<a href=${link("models/one", { name, tab: tab === "champion" ? null : tab })} aria-current=${tab === this.tab ? "page" : nothing}>${text}</a>`,
        )}
      </nav>
      ${this.renderTab(loaded)}`;
  }

  /** @param {Loaded} loaded */
  renderTab({ model, versions }) {
    if (this.tab === "skill") return html`<gc-model-skill .model=${model}></gc-model-skill>`;
    if (this.tab === "schedule") return html`<gc-model-schedule .model=${model} @changed=${this.refresh}></gc-model-schedule>`;
    if (this.tab === "watch") return html`<gc-model-watch .model=${model} .query=${this.query}></gc-model-watch>`;
    if (this.tab === "versions") return this.renderVersions(model, versions);
    const champion = versions.find((one) => one.version === model.champion);
    return champion ? this.renderVersion(champion, `Version ${nameVersion(champion.version, champion.revision)} serves`) : this.renderNoChampion(versions);
  }

  /** @param {Record<string, any>[]} versions */
  renderNoChampion(versions) {
    const { name } = this.query;
    const next = versions.length
      ? html`<p class="actions"><a class="button" href=${link("models/one", { name, tab: "versions" })}>Look at its versions</a></p>`
      : html`<p class="actions"><a class="button" href=${link("jobs", { model: name })}>Look at its jobs</a></p>`;
    return renderEmpty(versions.length ? "No version serves yet: promote one to forecast with it." : "No training of it has ended yet.", next);
  }

  /** @param {Record<string, any>} version @param {string} title */
  renderVersion(version, title) {
    return html`<section class="card">
      <h2>${title}</h2>
      <gc-version .version=${version} .query=${this.query}></gc-version>
      <gc-revisions .version=${version} @changed=${this.refresh} @failed=${this.fail}></gc-revisions>
    </section>`;
  }

  /** @param {Record<string, any>} model @param {Record<string, any>[]} versions */
  renderVersions(model, versions) {
    if (!versions.length) return this.renderNoChampion(versions);
    const chosen = this.getChosen(versions);
    const compared = versions.filter((one) => chosen.includes(one.version)).reverse();
    const shown = versions.find((one) => String(one.version) === this.query.version);
    return html`${shown ? this.renderVersion(shown, `Version ${shown.version}`) : nothing}
      <section class="card">
        <gc-version-table .model=${model} .versions=${versions} .chosen=${chosen} @changed=${this.refresh} @failed=${this.fail}></gc-version-table>
      </section>
      ${compared.length > 1 ? html`<section class="card"><gc-version-comparison .versions=${compared}></gc-version-comparison></section>` : nothing}`;
  }

  /** Return the numbers of the versions that are compared: those of the address, or the two newest. @param {Record<string, any>[]} versions */
  getChosen(versions) {
    const given = this.query.compare;
    return given ? given.split(",").map(Number) : versions.slice(0, 2).map((one) => one.version);
  }

  /** @param {CustomEvent<import("../api.js").Problem>} event */
  fail(event) {
    this.failure = event.detail;
  }

  refresh() {
    this.failure = null;
    this.loaded.reload();
  }
}

/** @param {Loaded} loaded */
function describeModel({ model, versions }) {
  if (model.builtin) return `Built in: forecasts any series, of ${model.freq === null ? "any frequency" : `frequency ${model.freq}`}, without training, ${formatCount(model.horizon, "step")} ahead at most.`;
  const serves = model.champion === null ? "No version serves" : `Version ${nameVersion(model.champion, model.revision)} serves, of ${model.versions.length}`;
  const trained = versions.length ? `; last trained ${formatAgo(versions[0].created_at)}` : "";
  return `Frequency ${model.freq}, ${formatCount(model.horizon, "step")} ahead. ${serves}${trained}.`;
}

customElements.define("gc-one-model", OneModelView);
