/** One alert: its rule in words, what it says of each series, and its messages. */

import { html, nothing } from "../vendor/lit.js";
import { describePatience, describeRule, describeState } from "../alert_words.js";
import { call, get, post } from "../api.js";
import { View } from "../element.js";
import { formatAgo, formatSentence, formatTime } from "../format.js";
import { Loader, renderProblem } from "../loader.js";
import "../parts/alert/messages.js";
import { confirm } from "../parts/confirm.js";
import "../parts/copy.js";
import { notify } from "../parts/notice.js";
import { go, link } from "../router.js";
import { may } from "../session.js";
import { Ticker } from "../ticker.js";

const PAGE = 100;
/** milliseconds between two looks while a test is on its way */
const SOON = 700;

/** @typedef {import("../alert_words.js").Alert} Alert */
/** @typedef {import("../alert_words.js").AlertEvent} AlertEvent */
/** @typedef {{alert: Alert, events: AlertEvent[], next: string|null, freq: string|null}} Loaded */

class OneAlertView extends View {
  static properties = { ...View.properties, failure: { state: true }, tested: { state: true } };

  constructor() {
    super();
    /** @type {Loader<Loaded>} */
    this.loaded = new Loader(this, "alert");
    /** @type {import("../api.js").Problem|null} */
    this.failure = null;
    /** id of the message that was sent as a test here */
    this.tested = "";
    this.ticker = new Ticker(this, () => this.loaded.reload());
    this.soon = new Ticker(this, () => this.loaded.reload(), SOON);
  }

  get heading() {
    return this.query.name ?? "Alert";
  }

  get path() {
    return `alerts/${encodeURIComponent(this.query.name ?? "")}`;
  }

  /** @returns {AlertEvent|undefined} the test that was sent here */
  get test() {
    return this.loaded.data?.events.find(({ id }) => id === this.tested);
  }

  willUpdate() {
    const { name, cursor } = this.query;
    if (!name) return;
    const { path } = this;
    this.loaded.load([path, cursor], async (signal) => {
      const [alert, page] = await Promise.all([get(path, {}, signal), get(`${path}/events`, { cursor, limit: PAGE }, signal)]);
      return { alert, events: page.items, next: page.next_cursor, freq: await loadFreq(alert, signal) };
    });
    this.ticker.isWanted = !this.loaded.problem;
    this.soon.isWanted = isPending(this.test);
  }

  render() {
    const { name } = this.query;
    if (!name) return html`<h1 tabindex="-1">Alert</h1><p>No alert was named. <a href=${link("alerts")}>Go to the alerts.</a></p>`;
    return html`<div class="head">
        <div>
          <p class="sub"><a href=${link("alerts")}>All alerts</a></p>
          <h1 tabindex="-1">${name}</h1>
        </div>
        ${this.loaded.data && !this.loaded.problem && may("write") ? this.renderActions(name) : nothing}
      </div>
      ${this.failure ? renderProblem(this.failure) : nothing} ${this.loaded.render((loaded) => this.renderLoaded(loaded))}`;
  }

  /** @param {string} name */
  renderActions(name) {
    return html`<div class="actions">
      <button type="button" @click=${this.sendTest}>Send a test message</button>
      <a class="button" href=${link("alerts/edit", { name })}>Edit</a>
      <button type="button" class="danger" @click=${this.discard}>Delete</button>
    </div>`;
  }

  /** @param {Loaded} loaded */
  renderLoaded({ alert, events, next, freq }) {
    const isFiring = alert.state === "firing";
    return html`<section class="card">
        <p class="lead"><span class="badge ${isFiring ? "bad" : "good"}">${isFiring ? "firing" : "ok"}</span> ${describeState(alert)}</p>
        <dl class="facts">
          <dt>Fires when</dt><dd>${formatSentence(describeRule(alert))} ${describePatience(alert)}</dd>
          <dt>Tells</dt><dd>${alert.send.map(renderReceiver)}</dd>
          <dt>State since</dt><dd>${formatTime(alert.since)} UTC, ${formatAgo(alert.since)}</dd>
          <dt>Last evaluated</dt><dd>${alert.evaluated_at ? `${formatTime(alert.evaluated_at)} UTC, ${formatAgo(alert.evaluated_at)}` : "not yet"}</dd>
          <dt>The rule as a call</dt><dd><gc-copy .request=${may("write") ? { method: "PUT", path: this.path, body: writeRule(alert) } : { method: "GET", path: this.path }}></gc-copy></dd>
        </dl>
      </section>
      <gc-alert-messages .alert=${alert} .events=${events} .freq=${freq} .test=${this.test ?? null} .isWhole=${!this.query.cursor}></gc-alert-messages>
      <p class="actions">
        ${this.query.cursor ? html`<a class="button" href=${link("alerts/one", { name: alert.name })}>Newest</a>` : nothing}
        ${next ? html`<a class="button" href=${link("alerts/one", { name: alert.name, cursor: next })}>Older</a>` : nothing}
      </p>`;
  }

  sendTest() {
    return this.attempt(async () => {
      this.tested = (await post(`${this.path}/test`, undefined)).id;
      if (this.query.cursor) go("alerts/one", { name: this.query.name });
      else await this.loaded.reload();
    });
  }

  async discard() {
    const { name } = this.query;
    const isSure = await confirm({
      title: `Delete ${name}?`,
      text: "Its history goes with it, and nothing more is sent, not even that it is resolved: what it opened elsewhere stays open. This cannot be undone.",
      action: "Delete the alert",
    });
    if (!isSure) return;
    await this.attempt(async () => {
      await call("DELETE", this.path);
      notify(`${name} is deleted`);
      go("alerts");
    });
  }

  /** @param {() => Promise<unknown>} action */
  async attempt(action) {
    try {
      await action();
      this.failure = null;
    } catch (error) {
      this.failure = /** @type {import("../api.js").Problem} */ (error);
    }
  }
}

/** @param {AlertEvent|undefined} event */
const isPending = (event) => Boolean(event?.deliveries.some((/** @type {any} */ one) => one.next_attempt));

/** Load the frequency of an alert's series; null where its model does not say. @param {Alert} alert @param {AbortSignal} signal */
async function loadFreq({ model, on }, signal) {
  if (!model || on === "job") return null;
  const { freq } = await get(`models/${encodeURIComponent(model)}`, {}, signal).catch(() => ({ freq: null }));
  return freq;
}

/** @param {{webhook?: string, alertmanager?: string}} receiver */
const renderReceiver = ({ webhook, alertmanager }) => html`<div>${webhook ? "Webhook" : "Alertmanager"} <code>${webhook ?? alertmanager}</code></div>`;

/** Return an alert as it is set; secrets are kept where they are left out. @param {Alert} alert */
function writeRule({ on, model, series, when, send, for: hold, keep_firing_for }) {
  const body = { on, model, series, when, send: send.map(({ webhook, alertmanager }) => (webhook ? { webhook } : { alertmanager })), for: hold, keep_firing_for };
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
}

customElements.define("gc-one-alert", OneAlertView);
