/** `<gc-access-usage>`: what the project has, beside what it may have. */

import { html, nothing } from "../../vendor/lit.js";
import { nameAmount, nameLimited } from "../../access_words.js";
import { get } from "../../api.js";
import { Element } from "../../element.js";
import { formatPercent } from "../../format.js";
import { Loader } from "../../loader.js";
import { link } from "../../router.js";
import { may } from "../../session.js";
import "../copy.js";
import { getOwnProject, managesAll } from "./own.js";

/** share of a quota from which on it stands out */
const NEARLY = 0.9;

/** @typedef {{limit: number|null, used: number}} Used */

class AccessUsage extends Element {
  constructor() {
    super();
    /** @type {Loader<Record<string, Used>>} */
    this.usage = new Loader(this, "usage");
  }

  willUpdate() {
    this.usage.load("usage", (signal) => get("usage", {}, signal));
  }

  render() {
    return this.usage.render((usage) => this.renderUsage(usage));
  }

  /** @param {Record<string, Used>} usage */
  renderUsage(usage) {
    const project = getOwnProject();
    return html`<section class="card">
      <div class="scroll" tabindex="0">
        <table>
          <caption>What ${project} has, and may have</caption>
          <thead>
            <tr>
              <th scope="col">What</th>
              <th scope="col" class="number">Used</th>
              <th scope="col" class="number">Limit</th>
              <th scope="col">Share</th>
            </tr>
          </thead>
          <tbody>
            ${Object.entries(usage).map(([name, used]) => renderUsed(name, used))}
          </tbody>
        </table>
      </div>
      <div class="chart-foot"><p class="hint">What goes beyond a limit is refused, and changes nothing that is there.</p><gc-copy .request=${{ method: "GET", path: "usage" }}></gc-copy></div>
      <p class="actions">
        <button type="button" @click=${() => this.usage.reload()}>Look again</button>
        ${may("admin") && managesAll() ? html`<a class="button" href=${link("access", { tab: "projects", edit: project })}>Change the quotas</a>` : nothing}
      </p>
    </section>`;
  }
}

/** @param {string} name @param {Used} used */
function renderUsed(name, { limit, used }) {
  const title = nameAmount(name);
  const limited = nameLimited(name);
  return html`<tr>
    <th scope="row">${title}</th>
    <td class="number">${used.toLocaleString("en")}</td>
    <td class="number">${limit === null ? "no limit" : limit.toLocaleString("en")}${limit !== null && limited ? html` <span class="hint">for ${limited}</span>` : nothing}</td>
    <td class="meter">${limit === null || limited ? "–" : renderShare(title, limit, used)}</td>
  </tr>`;
}

/** @param {string} title @param {number} limit @param {number} used */
function renderShare(title, limit, used) {
  const share = limit ? used / limit : 1;
  const tone = share >= 1 ? html` <span class="badge bad">used up</span>` : share >= NEARLY ? html` <span class="badge warn">nearly used up</span>` : nothing;
  return html`<progress max="1" .value=${Math.min(1, share)} aria-label="${title}, of their limit"></progress> <span class="hint">${formatPercent(share)}</span>${tone}`;
}

customElements.define("gc-access-usage", AccessUsage);
