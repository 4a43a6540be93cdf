/** `<gc-revisions .version>`: what refreshes made of a version, to go back to or forward. Fires `changed`, `failed`. */

import { html, nothing } from "../vendor/lit.js";
import { call } from "../api.js";
import { Element } from "../element.js";
import { formatAgo, formatTime } from "../format.js";
import { describePromotion, formatError } from "../judging.js";
import { link } from "../router.js";
import { may } from "../session.js";
import { notify } from "./notice.js";

/** @typedef {{revision: number, created_at: string, data_end: string|null, promoted: boolean, reason: string, metrics: Record<string, any>, can_serve: boolean, job: string|null}} Revision */

class VersionRevisions extends Element {
  static properties = { version: { attribute: false } };

  constructor() {
    super();
    /** @type {Record<string, any>|null} */
    this.version = null;
  }

  render() {
    if (!this.version?.revisions.length) return nothing;
    const { revision, revisions, created_at, data_span } = this.version;
    /** @type {Revision} */
    const trained = { revision: 0, created_at, data_end: data_span.end, promoted: true, reason: "as it was trained", metrics: {}, can_serve: true, job: null };
    return html`<h3>Revisions</h3>
      <div class="scroll" tabindex="0">
        <table>
          <caption>What refreshes made of it, the newest first; its trained weights are the same in all</caption>
          <thead>
            <tr>
              <th scope="col">Revision</th>
              <th scope="col">Made</th>
              <th scope="col">Values until</th>
              <th scope="col">On the newest values</th>
              <th scope="col">Why it serves or not</th>
              <th scope="col"><span class="hidden-text">What can be done</span></th>
            </tr>
          </thead>
          <tbody>
            ${[...revisions].reverse().concat(trained).map((one) => this.renderRevision(one, one.revision === revision))}
          </tbody>
        </table>
      </div>`;
  }

  /** @param {Revision} one @param {boolean} isServing */
  renderRevision(one, isServing) {
    const { revision: number, metrics } = one;
    const errors = metrics.refreshed && metrics.before ? `${formatError(metrics.refreshed)}, before ${formatError(metrics.before)}` : "–";
    const word = number < (this.version?.revision ?? 0) ? "Go back" : "Promote";
    return html`<tr class=${isServing ? "chosen" : ""}>
      <td>${number || "0, as trained"}${isServing ? html` <span class="badge good">serves</span>` : nothing}</td>
      <td>${one.job ? html`<a href=${link("jobs/one", { id: one.job })}>${formatAgo(one.created_at)}</a>` : formatAgo(one.created_at)}</td>
      <td>${one.data_end ? formatTime(one.data_end) : "–"}</td>
      <td>${errors}</td>
      <td class="words">${number ? describePromotion(one) : nothing}</td>
      <td>
        ${may("train") && one.can_serve && !isServing
          ? html`<button type="button" @click=${() => this.promote(number)} aria-label="${word} to revision ${number}">${word}</button>`
          : nothing}
      </td>
    </tr>`;
  }

  /** @param {number} revision */
  async promote(revision) {
    const { model, version } = this.version ?? {};
    try {
      await call("PUT", `models/${encodeURIComponent(model)}/champion`, { body: { version, revision } });
      notify(`Revision ${revision} of version ${version} serves now`);
      this.dispatchEvent(new CustomEvent("changed"));
    } catch (error) {
      this.dispatchEvent(new CustomEvent("failed", { detail: error }));
    }
  }
}

customElements.define("gc-revisions", VersionRevisions);
