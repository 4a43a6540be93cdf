/** `<gc-explanation .series .body>`: what moved a forecast, the most first. */

import { html } from "../../vendor/lit.js";
import { post } from "../../api.js";
import { Element } from "../../element.js";
import { formatNumber } from "../../format.js";
import { Loader } from "../../loader.js";
import { sum, toSentence } from "./words.js";

class Explanation extends Element {
  static properties = { series: { attribute: false }, body: { attribute: false } };

  constructor() {
    super();
    /** @type {any} */
    this.series = null;
    /** @type {any} the request of the forecast */
    this.body = null;
    this.answer = new Loader(this, "what moved it");
  }

  willUpdate() {
    const body = { ...this.body, explain: true };
    this.answer.load([body, this.series.version], (signal) => post("forecast", body, signal));
  }

  render() {
    return this.answer.render((/** @type {any} */ { forecasts: [forecast] }) => {
      if (forecast.status === "error") return html`<p>${toSentence(forecast.error.detail)}</p>`;
      if (!forecast.explanation) return html`<p>The model's network did not make this forecast, so there is nothing to explain.</p>`;
      return this.renderCauses(forecast.explanation);
    });
  }

  /** @param {any} explanation */
  renderCauses({ baseline, lags, covariates }) {
    const count = baseline.length;
    const { unit } = this.series;
    const causes = [
      { name: "its own past", mean: sum(lags.contribution.map(sum)) / count },
      ...Object.entries(covariates).map(([name, values]) => ({ name, mean: sum(/** @type {number[]} */ (values)) / count })),
    ].sort((one, other) => Math.abs(other.mean) - Math.abs(one.mean));
    return html`<p>Had the series stayed at its own level, without covariates, ${formatNumber(sum(baseline) / count, unit)} a step would be expected. On average of the steps</p>
      <ul>${causes.map(({ name, mean }) => html`<li><strong>${name}</strong> ${mean < 0 ? "lowers" : "raises"} it by ${formatNumber(Math.abs(mean), unit)}</li>`)}</ul>
      <gc-copy .request=${{ method: "POST", path: "forecast", body: { ...this.body, explain: true } }}></gc-copy>`;
  }
}

customElements.define("gc-explanation", Explanation);
