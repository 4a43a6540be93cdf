/** `<gc-model-skill .model>`: how archived forecasts have come true: drift as a sentence, then by step and over time. */

import { html, nothing } from "../vendor/lit.js";
import { get } from "../api.js";
import { describeDrift } from "../drift_words.js";
import { Element } from "../element.js";
import { formatCount, formatNumber, formatPercent, formatTime, toSeconds } from "../format.js";
import { compare, formatError, FORECASTERS } from "../judging.js";
import { Loader, renderEmpty } from "../loader.js";
import { link } from "../router.js";
import { may } from "../session.js";
import "./chart.js";
import { renderMeasures } from "./measure_table.js";

/** @typedef {import("../judging.js").Measures} Measures */
/** @typedef {{model: Measures, season_naive: Measures}} Pair */
/**
 * @typedef {object} Skill
 * @property {number} forecasts
 * @property {Pair & {n: number}} overall
 * @property {(Pair & {step: number})[]} by_step
 * @property {(Pair & {first_origin: string, last_origin: string, n: number})[]} rolling
 * @property {import("../drift_words.js").Drift|null} drift
 */

/** @param {Measures[]} measures */
const chooseMeasure = (measures) => (measures.some((one) => one?.mase !== undefined) ? "mase" : "mae");

/** Return layers that compare a measure of the model with season-naive's. @param {number[]} x @param {Pair[]} pairs @param {string} measure @returns {import("./chart/traces.js").Layer[]} */
function makePairLayers(x, pairs, measure) {
  return [
    { name: "Model", x, y: pairs.map(({ model }) => model?.[measure] ?? null), kind: "line", color: "forecast", width: 2 },
    { name: "Season-naive", x, y: pairs.map(({ season_naive }) => season_naive?.[measure] ?? null), kind: "dashed", color: "actual" },
  ];
}

class ModelSkill extends Element {
  static properties = { model: { attribute: false } };

  constructor() {
    super();
    /** @type {Record<string, any>|null} */
    this.model = null;
    /** @type {Loader<{skill: Skill, steps: import("./chart/traces.js").Layer[], periods: import("./chart/traces.js").Layer[], measure: string}>} */
    this.skill = new Loader(this, "skill");
  }

  get path() {
    return `models/${encodeURIComponent(this.model?.name)}/skill`;
  }

  willUpdate() {
    if (!this.model) return;
    const path = this.path;
    this.skill.load([path, this.model.champion], async (signal) => {
      /** @type {Skill} */
      const skill = await get(path, {}, signal);
      const measure = chooseMeasure(skill.by_step.map((one) => one.model));
      const steps = makePairLayers(skill.by_step.map((one) => one.step), skill.by_step, measure);
      const periods = makePairLayers(skill.rolling.map((one) => toSeconds(one.first_origin)), skill.rolling, measure);
      return { skill, steps, periods, measure };
    });
  }

  render() {
    return this.skill.render((loaded) => (loaded.skill.forecasts ? this.renderSkill(loaded) : this.renderNone(loaded.skill)));
  }

  /** @param {Skill} skill */
  renderNone({ drift }) {
    const next = may("train")
      ? html`<p class="actions"><a class="button" href=${link("models/one", { name: this.model?.name, tab: "schedule" })}>Schedule forecasts</a></p>`
      : nothing;
    const text = this.model?.schedule?.forecast
      ? "No archived forecast has come true yet: this fills as values arrive."
      : "Skill is measured on archived forecasts, and none is archived: a schedule does that.";
    return html`${drift ? html`<p class="sub">${describeDrift(drift, []).text}</p>` : nothing}${renderEmpty(text, next)}`;
  }

  /** @param {{skill: Skill, steps: import("./chart/traces.js").Layer[], periods: import("./chart/traces.js").Layer[], measure: string}} loaded */
  renderSkill({ skill, steps, periods, measure }) {
    const { overall, forecasts, rolling } = skill;
    const drift = describeDrift(skill.drift, rolling);
    const verdict = compare(overall.model, overall.season_naive, "season-naive");
    const held = overall.model.coverage_80 === undefined ? "" : ` The 80 % interval held ${formatPercent(overall.model.coverage_80)}.`;
    const label = measure.toUpperCase();
    const request = { method: "GET", path: this.path };
    const rows = [
      { label: FORECASTERS.model, measures: overall.model, isOwn: true },
      { label: FORECASTERS.season_naive, measures: overall.season_naive },
    ];
    return html`<p class=${drift.tone === "warn" ? "warning" : "card"}>
        <strong>${drift.text}</strong>
        ${drift.tone === "warn" && may("train") ? html` <a href=${link("train", { model: this.model?.name })}>Train again</a>` : nothing}
      </p>
      <section class="card">
        <h2>How its forecasts came true</h2>
        <p>
          ${formatError(overall.model)}${verdict ? html`: <span class=${verdict.tone}>${verdict.text}</span>` : nothing} over
          ${formatCount(forecasts, "forecast")} and ${formatCount(overall.n, "value")}.${held}
        </p>
        ${renderMeasures(rows, "Archived forecasts beside season-naive")}
      </section>
      <div class="columns two">
        <section class="card">
          <h2>By step of the horizon</h2>
          <gc-chart
            .label=${`${label} by step of the horizon`}
            .axis=${"number"}
            .layers=${steps}
            .describe=${describeStep(skill.by_step, measure)}
            .request=${request}
            .height=${260}
          ></gc-chart>
        </section>
        <section class="card">
          <h2>Over time</h2>
          ${rolling.length > 1
            ? html`<gc-chart .label=${`${label} of runs of origins over time`} .layers=${periods} .freq=${this.model?.freq} .request=${request} .height=${260}></gc-chart>`
            : html`<p>All of it is of origins from ${formatTime(rolling[0]?.first_origin)}: a line needs more of them.</p>`}
        </section>
      </div>`;
  }
}

/** @param {(Pair & {step: number})[]} steps @param {string} measure @returns {(x: number) => string} */
function describeStep(steps, measure) {
  return (x) => {
    const step = steps.find((one) => one.step === Math.round(x));
    if (!step) return "";
    const verdict = compare(step.model, step.season_naive, "season-naive");
    return `Step ${step.step}: ${measure.toUpperCase()} ${formatNumber(step.model?.[measure])}${verdict ? `, ${verdict.text}` : ""}.`;
  };
}

customElements.define("gc-model-skill", ModelSkill);
