/** `<gc-alert-messages .alert .events .test>`: how the last test went, the state of each series, and all messages. */

import { html, nothing } from "../../vendor/lit.js";
import { describeDelivery, describeEvent, listStates } from "../../alert_words.js";
import { Element } from "../../element.js";
import { formatAgo, formatCount, formatTime } from "../../format.js";
import { renderEmpty } from "../../loader.js";
import { link } from "../../router.js";

/** @typedef {import("../../alert_words.js").AlertEvent} AlertEvent */

/** @type {Record<string, string>} */
const TONES = { firing: "bad", resolved: "good", test: "accent" };

class AlertMessages extends Element {
  static properties = {
    alert: { attribute: false },
    events: { attribute: false },
    freq: { attribute: false },
    test: { attribute: false },
    isWhole: { attribute: false },
  };

  constructor() {
    super();
    /** @type {import("../../alert_words.js").Alert|null} */
    this.alert = null;
    /** @type {AlertEvent[]} the newest first */
    this.events = [];
    /** @type {string|null} of the series, where it is known */
    this.freq = null;
    /** @type {AlertEvent|null} a test that was just sent */
    this.test = null;
    /** whether the newest messages are among them */
    this.isWhole = true;
  }

  render() {
    return html`${this.test ? this.renderTest(this.test) : nothing} ${this.isWhole ? this.renderStates() : nothing} ${this.renderHistory()}`;
  }

  /** @param {AlertEvent} test */
  renderTest({ delivered, deliveries }) {
    const isOver = deliveries.every((/** @type {any} */ one) => !one.next_attempt);
    const title = delivered ? "The test message was delivered." : isOver ? "The test message was not delivered." : "The test message is on its way.";
    return html`<div class=${delivered ? "card" : "warning"} role="status"><strong>${title}</strong> ${deliveries.map(describeDelivery).join(" ")}</div>`;
  }

  renderStates() {
    const states = listStates(this.events);
    if (!states.length) return nothing;
    const firing = states.filter(({ state }) => state === "firing").length;
    const more = (this.alert?.firing ?? 0) - firing;
    return html`<section class="card">
      <h2>State by series</h2>
      <div class="scroll tall" tabindex="0">
        <table>
          <caption>What fires first, then what is resolved${more > 0 ? `; ${formatCount(more, "other", "others")} that fire have older messages` : ""}</caption>
          <thead><tr><th scope="col">About</th><th scope="col">State</th><th scope="col">Since</th><th scope="col">In words</th></tr></thead>
          <tbody>
            ${states.map((event) => html`<tr>
              <td class="id">${this.renderAbout(event)}</td>
              <td>${renderState(event.state)}</td>
              <td><time>${formatAgo(event.at)}</time></td>
              <td class="words">${this.describe(event)}</td>
            </tr>`)}
          </tbody>
        </table>
      </div>
    </section>`;
  }

  renderHistory() {
    if (!this.events.length) return renderEmpty("No message was sent yet: the first one comes as it begins to fire. A test shows whether receivers take them.", nothing);
    return html`<section class="card">
      <h2>Messages</h2>
      <div class="scroll" tabindex="0">
        <table>
          <caption>The newest first; times are UTC</caption>
          <thead><tr><th scope="col">Sent</th><th scope="col">State</th><th scope="col">About</th><th scope="col">In words</th><th scope="col">Delivered</th><th scope="col" class="number">Attempts</th></tr></thead>
          <tbody>
            ${this.events.map((event) => html`<tr>
              <td><time>${formatTime(event.at)}</time></td>
              <td>${renderState(event.state)}</td>
              <td class="id">${this.renderAbout(event)}</td>
              <td class="words">${this.describe(event)}</td>
              <td class="words">${renderDelivered(event)}</td>
              <td class="number">${event.attempts}</td>
            </tr>`)}
          </tbody>
        </table>
      </div>
    </section>`;
  }

  /** @param {AlertEvent} event */
  renderAbout({ series, model }) {
    if (series) return html`<a href=${link("series/one", { id: series, model: this.alert?.model })}>${series}</a>`;
    return model ? html`<a href=${link("models/one", { name: model })}>${model}</a>` : "–";
  }

  /** @param {AlertEvent} event */
  describe(event) {
    return describeEvent(event, this.alert?.on, this.freq);
  }
}

/** @param {string} state */
const renderState = (state) => html`<span class="badge ${TONES[state]}">${state}</span>`;

/** @param {AlertEvent} event */
function renderDelivered({ delivered, deliveries }) {
  if (delivered) return "yes";
  return html`${deliveries.filter((/** @type {any} */ one) => !one.delivered_at).map((/** @type {any} */ one) => html`<div>${describeDelivery(one)}</div>`)}`;
}

customElements.define("gc-alert-messages", AlertMessages);
