/** Models, with what serves and how good it is. */

import { html, nothing } from "../vendor/lit.js";
import { get } from "../api.js";
import { View } from "../element.js";
import { formatAgo, formatCount } from "../format.js";
import { compare, formatError, getGate, nameVersion } from "../judging.js";
import { Loader, renderEmpty } from "../loader.js";
import { link } from "../router.js";
import { describeCron } from "../schedule_words.js";
import { may } from "../session.js";

const PAGE = 25;

/** @typedef {Record<string, any>} Model */
/** @typedef {{models: Model[], versions: Map<string, any>, next: string|null}} Models versions by their paths */

class ModelListView extends View {
  constructor() {
    super();
    /** @type {Loader<Models>} */
    this.models = new Loader(this, "models");
  }

  get heading() {
    return "Models";
  }

  willUpdate() {
    const { cursor, series } = this.query;
    this.models.load({ cursor, series }, async (signal) => {
      const page = await get("models", { cursor, series, limit: PAGE }, signal);
      const models = /** @type {Model[]} */ (page.items);
      return { models, versions: await loadVersions(models, signal), next: page.next_cursor };
    });
  }

  render() {
    return html`<div class="head">
        <div>
          <h1 tabindex="-1">Models</h1>
          <p class="sub">The champion of each is the version that forecasts; it got there by being better.</p>
        </div>
        ${may("train") ? html`<span class="actions"><a class="button primary" href=${link("train")}>Train a model</a></span>` : nothing}
      </div>
      ${this.models.render((models) => this.renderModels(models))}`;
  }

  /** @param {Models} models */
  renderModels(models) {
    if (!models.models.length) {
      const next = may("train") ? html`<p class="actions"><a class="button primary" href=${link("train")}>Train the first one</a></p>` : nothing;
      return renderEmpty("There is no model yet: one is trained on series that are stored here.", next);
    }
    return html`<section class="card">
        <div class="scroll" tabindex="0">
          <table>
            <caption>${formatCount(models.models.length, "model")}, by name</caption>
            <thead>
              <tr>
                <th scope="col">Model</th>
                <th scope="col">Champion</th>
                <th scope="col">How good it is</th>
                <th scope="col">Frequency</th>
                <th scope="col" class="number">Horizon</th>
                <th scope="col" class="number">Versions</th>
                <th scope="col">Last trained</th>
                <th scope="col">Schedule</th>
              </tr>
            </thead>
            <tbody>
              ${models.models.map((model) => renderModel(model, models))}
            </tbody>
          </table>
        </div>
      </section>
      <p class="actions">
        ${this.query.cursor ? html`<a class="button" href=${link("models")}>First</a>` : nothing}
        ${models.next ? html`<a class="button" href=${link("models", { cursor: models.next })}>More</a>` : nothing}
      </p>`;
  }
}

/** @param {Model} model @param {number} number */
const pathOf = (model, number) => `models/${encodeURIComponent(model.name)}/versions/${number}`;

/** @param {Model} model */
const getNewest = (model) => Math.max(...model.versions);

/** Load the champion and the newest version of each model. @param {Model[]} models @param {AbortSignal} signal @returns {Promise<Map<string, any>>} */
async function loadVersions(models, signal) {
  const wanted = models.filter((model) => model.versions.length);
  const paths = [...new Set(wanted.flatMap((model) => [getNewest(model), model.champion ?? getNewest(model)].map((number) => pathOf(model, number))))];
  const versions = await Promise.all(paths.map((path) => get(path, {}, signal).catch(() => null)));
  return new Map(paths.map((path, index) => [path, versions[index]]));
}

/** @param {Model} model @param {Models} models */
function renderModel(model, { versions }) {
  return html`<tr>
    <td><a href=${link("models/one", { name: model.name })}>${model.name}</a></td>
    <td>${model.champion === null ? html`<span class="badge warn">none</span>` : html`<span class="badge good">version ${nameVersion(model.champion, model.revision)}</span>`}</td>
    <td>${renderQuality(versions.get(pathOf(model, model.champion)))}</td>
    <td>${model.freq ?? "any"}</td>
    <td class="number">${model.horizon}</td>
    <td class="number">${model.versions.length}</td>
    <td>${formatAgo(versions.get(pathOf(model, getNewest(model)))?.created_at)}</td>
    <td>${describeSchedule(model.schedule)}</td>
  </tr>`;
}

/** @param {{train: string|null, refresh: string|null, forecast: string|null}|null} schedule */
function describeSchedule(schedule) {
  if (!schedule) return "–";
  if (schedule.train) return `trains ${describeCron(schedule.train)}`;
  return schedule.refresh ? `refreshes ${describeCron(schedule.refresh)}` : `forecasts ${describeCron(schedule.forecast ?? "")}`;
}

/** @param {any} version */
function renderQuality(version) {
  const gate = version ? getGate(version.metrics) : null;
  if (!gate) return "not measured";
  const verdict = compare(gate, version.metrics.season_naive, "season-naive");
  return html`${verdict ? html`<span class=${verdict.tone}>${verdict.text}</span> ` : nothing}<span class="hint">${formatError(gate)}</span>`;
}

customElements.define("gc-model-list", ModelListView);
