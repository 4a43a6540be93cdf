/** Alerts: what each watches, whether it fires, and when that was last looked at. */

import { html, nothing } from "../vendor/lit.js";
import { describeRule, describeState, nameHost } from "../alert_words.js";
import { get } from "../api.js";
import { View } from "../element.js";
import { formatAgo, formatCount } from "../format.js";
import { Loader, renderEmpty } from "../loader.js";
import { link } from "../router.js";
import { may } from "../session.js";
import { Ticker } from "../ticker.js";

const PAGE = 50;

/** @typedef {import("../alert_words.js").Alert} Alert */

class AlertListView extends View {
  constructor() {
    super();
    /** @type {Loader<{items: Alert[], next_cursor: string|null}>} */
    this.alerts = new Loader(this, "alerts");
    this.ticker = new Ticker(this, () => this.alerts.reload());
    this.ticker.isWanted = true;
  }

  get heading() {
    return "Alerts";
  }

  willUpdate() {
    const { cursor } = this.query;
    this.alerts.load(cursor, (signal) => get("alerts", { cursor, limit: PAGE }, signal));
  }

  render() {
    return html`<div class="head">
        <div>
          <h1 tabindex="-1">Alerts</h1>
          <p class="sub">Who is told, and of what: one message as something begins, one as it ends.</p>
        </div>
        ${may("write") ? html`<span class="actions"><a class="button primary" href=${link("alerts/edit")}>New alert</a></span>` : nothing}
      </div>
      ${this.alerts.render((page) => this.renderAlerts(page))}`;
  }

  /** @param {{items: Alert[], next_cursor: string|null}} page */
  renderAlerts({ items, next_cursor }) {
    if (!items.length) {
      const next = may("write") ? html`<p class="actions"><a class="button primary" href=${link("alerts/edit")}>Set the first one</a></p>` : nothing;
      return renderEmpty("There is no alert yet: one sends a message before a forecast crosses a threshold, when a value is improbable, a model becomes worse, a job fails, or values stop coming.", next);
    }
    return html`<section class="card">
        <div class="scroll" tabindex="0">
          <table>
            <caption>${formatCount(items.length, "alert")}, by name</caption>
            <thead>
              <tr>
                <th scope="col">Alert</th>
                <th scope="col">State</th>
                <th scope="col">Fires when</th>
                <th scope="col">Tells</th>
                <th scope="col">State since</th>
                <th scope="col">Last evaluated</th>
              </tr>
            </thead>
            <tbody>
              ${items.map(renderAlert)}
            </tbody>
          </table>
        </div>
      </section>
      <p class="actions">
        ${this.query.cursor ? html`<a class="button" href=${link("alerts")}>First</a>` : nothing}
        ${next_cursor ? html`<a class="button" href=${link("alerts", { cursor: next_cursor })}>More</a>` : nothing}
      </p>`;
  }
}

/** @param {Alert} alert */
function renderAlert(alert) {
  const isFiring = alert.state === "firing";
  return html`<tr>
    <td class="id"><a href=${link("alerts/one", { name: alert.name })}>${alert.name}</a></td>
    <td class="words">
      <span class="badge ${isFiring ? "bad" : "good"}">${isFiring ? "firing" : "ok"}</span> ${describeState(alert)}
    </td>
    <td class="words">${describeRule(alert)}</td>
    <td>${[...new Set(alert.send.map((/** @type {any} */ one) => nameHost(one.webhook ?? one.alertmanager)))].join(", ")}</td>
    <td><time>${formatAgo(alert.since)}</time></td>
    <td>${alert.evaluated_at ? formatAgo(alert.evaluated_at) : "not yet"}</td>
  </tr>`;
}

customElements.define("gc-alert-list", AlertListView);
