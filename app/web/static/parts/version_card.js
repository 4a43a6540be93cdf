/** `<gc-version .version .champion .timezone>`: one version: how good it is, why it serves or not, its data and its curve. */

import { html, nothing } from "../vendor/lit.js";
import { Element } from "../element.js";
import { formatAgo, formatCount, formatTime } from "../format.js";
import { compare, describePromotion, FORECASTERS, formatError, getGate } from "../judging.js";
import { link } from "../router.js";
import { toCurve } from "./loss_curve.js";
import { renderMeasures } from "./measure_table.js";

const SHOWN_SERIES = 12;
/** @type {Record<string, string>} */
const WARNINGS = {
  ungated: "The history is too short for a span that the network has not seen: how good it is has not been measured.",
  short_series: "Some series were too short to be trained on.",
  incomplete_series: "Some series have too many gaps, and were not trained on.",
  empty_series: "Some of the series that were asked for had no values.",
  stopped: "The training was stopped by its user before its end.",
  recovered: "The training diverged, and went on at a lower rate.",
};

/** @typedef {Record<string, any>} Version */

/** Say how good a version is. @param {Version} version */
function describeQuality(version) {
  const gate = getGate(version.metrics);
  if (!gate) return "How good it is has not been measured.";
  const verdict = compare(gate, version.metrics.season_naive, "season-naive");
  const held = gate.coverage_80 === undefined ? "" : `; the 80 % interval held ${Math.round(100 * gate.coverage_80)} % of the values`;
  return `${formatError(gate)}${verdict ? `: ${verdict.text}` : ""}, on data that it had not seen${held}.`;
}

/** Write a time as the clock of its own timezone shows it. @param {string} ds ISO 8601 with an offset @param {string} freq */
const formatWall = (ds, freq) => formatTime(`${ds.slice(0, 19)}Z`, "UTC", freq);

class VersionCard extends Element {
  static properties = {
    version: { attribute: false },
    query: { attribute: false },
  };

  constructor() {
    super();
    /** @type {Version|null} */
    this.version = null;
    /** @type {Record<string, string>} */
    this.query = {};
    /** @type {import("../job_stream.js").Curve|null} kept, so that the chart is drawn once */
    this.curve = null;
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (changed.has("version") && this.version) this.curve = toCurve(this.version.loss_curve);
  }

  render() {
    const { version } = this;
    if (!version) return nothing;
    const own = version.metrics.gate ? "gate" : "selection";
    const rows = Object.entries(version.metrics)
      .filter(([name, measures]) => measures && (name in FORECASTERS) && (name !== "selection" || own === "selection"))
      .map(([name, measures]) => ({ label: FORECASTERS[name], measures, isOwn: name === own }));
    return html`<p>${describeQuality(version)} ${describePromotion(version)}</p>
      ${version.warnings.map((/** @type {string} */ name) => html`<p class="warning">${WARNINGS[name] ?? name}</p>`)}
      ${rows.length ? renderMeasures(rows, "On the same windows; less is better, and the best of each is bold") : nothing}
      <div class="columns spaced">
        <div>${this.renderData(version)}</div>
        <div>${this.renderCleaning(version.cleaning)}</div>
        <div>${this.renderOrigin(version)}</div>
      </div>
      ${this.curve?.epochs.length
        ? html`<h3>Loss by epoch</h3>
            <gc-loss-curve
              .curve=${this.curve}
              .isLog=${this.query.log === "1"}
              .isSmooth=${this.query.smooth === "1"}
              .request=${{ method: "GET", path: `models/${version.model}/versions/${version.version}` }}
            ></gc-loss-curve>`
        : nothing}`;
  }

  /** @param {Version} version */
  renderData({ data_span: { start, end, series }, config }) {
    /** @param {string} id */
    const renderSeries = (id) => html`<li><a href=${link("series/one", { id })}>${id}</a></li>`;
    return html`<h3>Trained on</h3>
      <p>${formatCount(series.length, "series", "series")}, ${formatWall(start, config.frequency)} to ${formatWall(end, config.frequency)}.</p>
      <ul class="lines">
        ${series.slice(0, SHOWN_SERIES).map(renderSeries)}
        ${series.length > SHOWN_SERIES ? html`<li class="hint">and ${series.length - SHOWN_SERIES} more</li>` : nothing}
      </ul>`;
  }

  /** @param {Record<string, any>} cleaning */
  renderCleaning({ gaps, outliers, aggregate, filled, clipped, refused }) {
    return html`<h3>Cleaning</h3>
      <ul class="lines">
        <li>Gaps: ${gaps === "leave" ? "left as they are" : `filled (${gaps}), ${formatCount(filled.total, "step")}`}</li>
        <li>Outliers: ${outliers === "leave" ? "left as they are" : `clipped (${outliers}), ${formatCount(clipped.total, "value")}`}</li>
        ${aggregate ? html`<li>Finer values: their ${aggregate.by} for each ${aggregate.freq}</li>` : nothing}
      </ul>
      ${refused.length
        ? html`<details><summary>${formatCount(refused.length, "series", "series")} refused</summary>
            <ul>${refused.map((/** @type {{series_id: string, detail: string}} */ one) => html`<li>${one.series_id}: ${one.detail}</li>`)}</ul>
          </details>`
        : nothing}`;
  }

  /** @param {Version} version */
  renderOrigin({ created_at, job, provenance, config }) {
    return html`<h3>Made</h3>
      <ul class="lines">
        <li>${formatAgo(created_at)}, asked for by ${provenance.started_by ?? "someone"}</li>
        <li>by <a href=${link("jobs/one", { id: job })}>its training</a>${provenance.seconds ? html` in ${Math.round(provenance.seconds)} s` : nothing}</li>
        <li>known-future covariates: ${config.covariates?.known_future?.join(", ") || "none"}</li>
      </ul>`;
  }
}

customElements.define("gc-version", VersionCard);
