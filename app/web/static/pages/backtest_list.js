/** Backtests: what a model would have forecast, and asking for one. */

import { html, nothing } from "../vendor/lit.js";
import { get } from "../api.js";
import { View } from "../element.js";
import { formatAgo, formatPercent } from "../format.js";
import { describeJob, isActive, renderStatus, toSentence } from "../job_words.js";
import { Loader, renderEmpty } from "../loader.js";
import { adjust, link } from "../router.js";
import { may } from "../session.js";
import { Ticker } from "../ticker.js";

const PAGE = 25;

/** @typedef {{items: import("../job_words.js").Job[], next_cursor: string|null}} Page */

class BacktestListView extends View {
  constructor() {
    super();
    /** @type {Loader<Page>} */
    this.page = new Loader(this, "backtests");
    this.ticker = new Ticker(this, () => this.page.reload());
  }

  get heading() {
    return "Backtests";
  }

  willUpdate() {
    const { cursor } = this.query;
    this.page.load({ cursor }, (signal) => get("jobs", { kind: "backtest", cursor, limit: PAGE }, signal));
    this.ticker.isWanted = Boolean(this.page.data?.items.some(isActive));
    if (this.isAsking) import("../parts/backtest_form.js");
  }

  get isAsking() {
    return may("train") && Boolean(this.query.new || this.query.model);
  }

  render() {
    return html`<div class="head">
        <div>
          <h1 tabindex="-1">Backtests</h1>
          <p class="sub">A model's configuration on past windows, trained on what came before them and held against what happened.</p>
        </div>
        ${may("train") && !this.isAsking ? html`<span class="actions"><button type="button" class="primary" @click=${() => adjust({ new: 1 })}>New backtest</button></span>` : nothing}
      </div>
      ${this.isAsking ? this.renderForm() : nothing} ${this.page.render((page) => this.renderPage(page))}`;
  }

  renderForm() {
    return html`<section class="card">
      <div class="head"><h2>New backtest</h2><span class="actions"><button type="button" class="quiet" @click=${() => adjust({ new: null, model: null })}>Close</button></span></div>
      <gc-backtest-form .model=${this.query.model ?? ""}></gc-backtest-form>
    </section>`;
  }

  /** @param {Page} page */
  renderPage({ items, next_cursor }) {
    if (!items.length) {
      return renderEmpty("No backtest has been made yet: it says how good a model would have been.", nothing);
    }
    return html`<section class="card">
        <div class="scroll" tabindex="0">
          <table>
            <caption>The newest first</caption>
            <thead>
              <tr>
                <th scope="col">Backtest</th>
                <th scope="col">Status</th>
                <th scope="col">Asked for</th>
                <th scope="col">By</th>
                <th scope="col">How far it is</th>
              </tr>
            </thead>
            <tbody>
              ${items.map(
                (job) => html`<tr>
                  <td><a href=${link("backtests/one", { id: job.id })}>${job.model ?? "a deleted model"}, ${formatMoment(job.created_at)}</a></td>
                  <td>${renderStatus(job)}</td>
                  <td>${formatAgo(job.created_at)}</td>
                  <td>${job.started_by ?? "–"}</td>
                  <td class="words">${job.status === "running" ? html`${formatPercent(job.progress.fraction)}: ` : nothing}${job.error ? toSentence(job.error.detail) : describeJob(job)}</td>
                </tr>`,
              )}
            </tbody>
          </table>
        </div>
      </section>
      <p class="actions">
        ${this.query.cursor ? html`<a class="button" href=${link("backtests")}>Newest</a>` : nothing}
        ${next_cursor ? html`<a class="button" href=${link("backtests", { cursor: next_cursor })}>Older</a>` : nothing}
      </p>`;
  }
}

/** @param {string} ds */
const formatMoment = (ds) => new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).format(new Date(ds));

customElements.define("gc-backtest-list", BacktestListView);
