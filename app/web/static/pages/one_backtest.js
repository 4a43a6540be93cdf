/** One backtest: how far it is, then what came of it. */

import { html, nothing } from "../vendor/lit.js";
import { get } from "../api.js";
import { View } from "../element.js";
import { formatCount } from "../format.js";
import { describeJob, isActive, renderFailure, renderMeter, renderStatus } from "../job_words.js";
import { Loader } from "../loader.js";
import "../parts/copy.js";
import { link } from "../router.js";
import { Ticker } from "../ticker.js";

/** @typedef {import("../backtest_words.js").Backtest} Backtest */

class OneBacktestView extends View {
  constructor() {
    super();
    /** @type {Loader<Backtest>} */
    this.backtest = new Loader(this, "backtest");
    this.ticker = new Ticker(this, () => this.backtest.reload());
  }

  get heading() {
    return "Backtest";
  }

  willUpdate() {
    const { id } = this.query;
    if (id) this.backtest.load(id, (signal) => get(`backtests/${encodeURIComponent(id)}`, {}, signal));
    const { data } = this.backtest;
    this.ticker.isWanted = data !== null && isActive(data);
    if (data?.overall) import("../parts/backtest_result.js");
  }

  render() {
    if (!this.query.id) return html`<h1 tabindex="-1">Backtest</h1><p>None was named. <a href=${link("backtests")}>Go to the backtests.</a></p>`;
    const { data } = this.backtest;
    return html`<div class="head">
        <div>
          <p class="sub"><a href=${link("backtests")}>All backtests</a></p>
          <h1 tabindex="-1">Backtest${data?.model ? ` of ${data.model}` : ""} ${data ? renderStatus(data) : nothing}</h1>
          ${data ? html`<p class="sub">${describeRequest(data)}</p>` : nothing}
        </div>
        <span class="actions">
          <gc-copy .request=${{ method: "GET", path: `backtests/${this.query.id}` }}></gc-copy>
          <a class="button" href=${link("jobs/one", { id: this.query.id })}>Its job</a>
          ${data?.model ? html`<a class="button" href=${link("models/one", { name: data.model })}>Its model</a>` : nothing}
        </span>
      </div>
      ${this.backtest.render((backtest) => this.renderBacktest(backtest))}`;
  }

  /** @param {Backtest} backtest */
  renderBacktest(backtest) {
    if (backtest.error) return renderFailure("The backtest failed", backtest.error);
    if (backtest.overall) return html`<gc-backtest-result .backtest=${backtest} .query=${this.query}></gc-backtest-result>`;
    return html`<section class="card">
      <p role="status">${describeJob(backtest)}</p>
      ${isActive(backtest) ? renderMeter(backtest.progress.fraction) : nothing}
    </section>`;
  }
}

/** @param {Backtest} backtest */
function describeRequest({ version, n_windows, horizon, step_size, refit }) {
  const trained = refit ? ", trained anew before each" : "";
  return `The configuration of version ${version}: ${formatCount(n_windows, "window")} of ${formatCount(horizon, "step")} a series, ${formatCount(step_size, "step")} apart${trained}.`;
}

customElements.define("gc-one-backtest", OneBacktestView);
