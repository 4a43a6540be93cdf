/** `<gc-job-trials .trials .best .isLive>`: the trials of a search, with the loss of each by epoch. */

import { html, nothing } from "../vendor/lit.js";
import { Element } from "../element.js";
import { formatDuration, formatNumber } from "../format.js";
import { formatOption } from "../judging.js";
import { toSentence } from "../job_words.js";
import "./chart.js";

/** @type {import("./chart/traces.js").Layer["color"][]} */
const COLORS = ["extra-1", "extra-2", "extra-3", "earlier"];
/** @type {Record<string, string>} */
const TONES = { complete: "good", running: "accent", failed: "bad", pruned: "", stopped: "warn" };

/** @typedef {{number: number, state: string, params: Record<string, unknown>, reason: string|null, loss: number|null, epochs: number, curve: number[], seconds: number}} Trial */

class JobTrials extends Element {
  static properties = {
    trials: { attribute: false },
    best: { attribute: false },
    request: { attribute: false },
  };

  constructor() {
    super();
    /** @type {Trial[]} */
    this.trials = [];
    /** @type {number|null} */
    this.best = null;
    /** @type {import("../snippet.js").Request|null} */
    this.request = null;
    /** @type {import("./chart/traces.js").Layer[]} */
    this.layers = [];
  }

  willUpdate() {
    this.layers = this.trials
      .filter((trial) => trial.curve.length)
      .map((trial, index) => {
        const isBest = trial.number === this.best;
        return {
          name: `Trial ${trial.number + 1}${isBest ? ", the best" : ""}`,
          x: trial.curve.map((_, epoch) => epoch + 1),
          y: trial.curve,
          kind: trial.curve.length > 1 ? "line" : "points",
          color: isBest ? "forecast" : COLORS[index % COLORS.length],
          width: isBest ? 2.5 : 1,
        };
      });
  }

  render() {
    if (!this.trials.length) return nothing;
    const names = listVaried(this.trials);
    return html`<h2>Trials of the search</h2>
      ${this.layers.length
        ? html`<gc-chart .label=${"Loss of each trial by epoch"} .axis=${"number"} .layers=${this.layers} .request=${this.request} .height=${240}></gc-chart>`
        : nothing}
      <div class="scroll" tabindex="0">
        <table>
          <caption>Losses are in units of the series. Of the options those are shown that were varied.</caption>
          <thead>
            <tr>
              <th scope="col" class="number">Trial</th>
              <th scope="col">State</th>
              <th scope="col" class="number">Loss</th>
              <th scope="col" class="number">Epochs</th>
              ${names.map((name) => html`<th scope="col">${name}</th>`)}
              <th scope="col" class="number">Took</th>
              <th scope="col">Why it is not complete</th>
            </tr>
          </thead>
          <tbody>
            ${this.trials.map((trial) => this.renderTrial(trial, names))}
          </tbody>
        </table>
      </div>`;
  }

  /** @param {Trial} trial @param {string[]} names */
  renderTrial(trial, names) {
    return html`<tr class=${trial.number === this.best ? "chosen" : ""}>
      <th scope="row" class="number">${trial.number + 1}</th>
      <td><span class="badge ${TONES[trial.state] ?? ""}">${trial.number === this.best ? "best" : trial.state}</span></td>
      <td class="number">${formatNumber(trial.loss)}</td>
      <td class="number">${trial.epochs}</td>
      ${names.map((name) => html`<td>${formatOption(trial.params[name])}</td>`)}
      <td class="number">${formatDuration(trial.seconds)}</td>
      <td class="words">${trial.reason ? toSentence(trial.reason) : nothing}</td>
    </tr>`;
  }
}

/** Return the names of options that differ between trials. @param {Trial[]} trials */
function listVaried(trials) {
  const names = [...new Set(trials.flatMap((trial) => Object.keys(trial.params)))];
  return names.filter((name) => new Set(trials.map((trial) => JSON.stringify(trial.params[name]))).size > 1);
}

customElements.define("gc-job-trials", JobTrials);
