/** `<gc-version-table .model .versions .chosen>`: versions to compare, promote, download and delete. Fires `changed`, `failed`. */

import { html, nothing } from "../vendor/lit.js";
import { call } from "../api.js";
import { Element } from "../element.js";
import { formatAgo, formatPercent } from "../format.js";
import { compare, describePromotion, formatError, getGate } from "../judging.js";
import { adjust, link } from "../router.js";
import { download } from "../saving.js";
import { may } from "../session.js";
import { confirm } from "./confirm.js";
import { notify } from "./notice.js";

class VersionTable extends Element {
  static properties = {
    model: { attribute: false },
    versions: { attribute: false },
    chosen: { attribute: false },
  };

  constructor() {
    super();
    /** @type {Record<string, any>|null} */
    this.model = null;
    /** @type {Record<string, any>[]} the newest first */
    this.versions = [];
    /** @type {number[]} numbers of the versions that are compared */
    this.chosen = [];
  }

  render() {
    return html`<div class="scroll" tabindex="0">
      <table>
        <caption>The newest first; choose two or more to compare them</caption>
        <thead>
          <tr>
            <th scope="col">Compare</th>
            <th scope="col">Version</th>
            <th scope="col">Trained</th>
            <th scope="col">How good it is</th>
            <th scope="col" class="number">80 % held</th>
            <th scope="col">Why it serves or not</th>
            <th scope="col"><span class="hidden-text">What can be done</span></th>
          </tr>
        </thead>
        <tbody>
          ${this.versions.map((version) => this.renderVersion(version))}
        </tbody>
      </table>
    </div>`;
  }

  /** @param {Record<string, any>} version */
  renderVersion(version) {
    const { version: number, metrics } = version;
    const gate = getGate(metrics);
    const verdict = compare(gate, metrics.season_naive, "season-naive");
    const isChampion = number === this.model?.champion;
    return html`<tr class=${isChampion ? "chosen" : ""}>
      <td><input type="checkbox" aria-label="Compare version ${number}" .checked=${this.chosen.includes(number)} @change=${() => this.choose(number)} /></td>
      <td>
        <a href=${link("models/one", { name: this.model?.name, tab: "versions", version: number })}>Version ${number}</a>
        ${isChampion ? html` <span class="badge good">champion</span>` : nothing}
      </td>
      <td>${formatAgo(version.created_at)}</td>
      <td>${gate ? formatError(gate) : "not measured"}${verdict ? html`<br /><span class=${verdict.tone}>${verdict.text}</span>` : nothing}</td>
      <td class="number">${gate?.coverage_80 === undefined ? "–" : formatPercent(gate.coverage_80)}</td>
      <td class="words">${describePromotion(version)}</td>
      <td><span class="actions">${this.renderActions(number, isChampion)}</span></td>
    </tr>`;
  }

  /** @param {number} number @param {boolean} isChampion */
  renderActions(number, isChampion) {
    const word = number < (this.model?.champion ?? 0) ? "Roll back" : "Promote";
    const isOffered = may("train") && !isChampion;
    return html`${isOffered ? html`<button type="button" @click=${() => this.promote(number, word)} aria-label="${word} to version ${number}">${word}</button>` : nothing}
      <button type="button" class="quiet" @click=${() => this.save(number)} aria-label="Download the bundle of version ${number}">Bundle</button>
      ${isOffered ? html`<button type="button" class="quiet danger" @click=${() => this.discard(number)} aria-label="Delete version ${number}">Delete</button>` : nothing}`;
  }

  /** @param {number} number */
  choose(number) {
    const chosen = this.chosen.includes(number) ? this.chosen.filter((one) => one !== number) : [...this.chosen, number];
    adjust({ compare: chosen.sort((one, other) => one - other).join(",") || "none" });
  }

  get path() {
    return `models/${encodeURIComponent(this.model?.name)}`;
  }

  /** @param {number} number @param {string} word */
  async promote(number, word) {
    const isSure = await confirm({
      title: `${word} to version ${number}?`,
      text: `Forecasts of ${this.model?.name} that begin from now on are of version ${number}; you can go back at any time.`,
      action: word,
      isHarmless: true,
    });
    if (isSure) await this.attempt(() => call("PUT", `${this.path}/champion`, { body: { version: number } }), `Version ${number} serves now`);
  }

  /** @param {number} number */
  async discard(number) {
    const isSure = await confirm({
      title: `Delete version ${number}?`,
      text: "Its files are removed, and its number is not given again. This cannot be undone.",
      action: "Delete it",
    });
    if (isSure) await this.attempt(() => call("DELETE", `${this.path}/versions/${number}`), `Version ${number} is deleted`);
  }

  /** @param {number} number */
  save(number) {
    return this.attempt(() => download(`${this.path}/versions/${number}/bundle`, `${this.model?.name}-${number}.zip`), "The bundle is saved", false);
  }

  /** @param {() => Promise<unknown>} action @param {string} done @param {boolean} [isChange] */
  async attempt(action, done, isChange = true) {
    try {
      await action();
      notify(done);
      if (isChange) this.dispatchEvent(new CustomEvent("changed"));
    } catch (error) {
      this.dispatchEvent(new CustomEvent("failed", { detail: error }));
    }
  }
}

customElements.define("gc-version-table", VersionTable);
