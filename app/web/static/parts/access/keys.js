/** `<gc-access-keys .query>`: the keys of a project: who may do what, until when, and who no longer does. */

import { html, nothing } from "../../vendor/lit.js";
import { describeEnd, describeLabels } from "../../access_words.js";
import { call, get, getAll, post } from "../../api.js";
import { Element } from "../../element.js";
import { formatAgo, formatCount, formatTime } from "../../format.js";
import { Loader, renderEmpty, renderProblem } from "../../loader.js";
import { adjust, link } from "../../router.js";
import { getAccess } from "../../session.js";
import { confirm } from "../confirm.js";
import "../copy.js";
import { notify } from "../notice.js";
import { getOwnProject, isMaybeOwn, managesAll } from "./own.js";
import { askRotation } from "./rotating.js";
import { showSecret } from "./secret.js";

const PAGE = 50;
const MOST_PROJECTS = 1000;

/** @typedef {import("../../access_words.js").Key} Key */
/** @typedef {import("../../access_words.js").Project} Project */
/** @typedef {Key & {key: string}} MadeKey */

class AccessKeys extends Element {
  static properties = { query: { attribute: false }, failure: { state: true } };

  constructor() {
    super();
    /** @type {Record<string, string>} of the address: `project`, `cursor`, `new` */
    this.query = {};
    /** @type {import("../../api.js").Problem|null} */
    this.failure = null;
    /** @type {Loader<{items: Key[], next_cursor: string|null}>} */
    this.keys = new Loader(this, "keys");
    /** @type {Loader<Project[]>} */
    this.projects = new Loader(this, "projects");
  }

  /** @returns {string[]} names of the projects that have keys here */
  get names() {
    return (this.projects.data ?? []).map(({ name }) => name);
  }

  /** @returns {string} */
  get project() {
    return this.query.project ?? getOwnProject();
  }

  get request() {
    const { project, cursor } = this.query;
    return { method: "GET", path: "keys", query: { project, cursor, limit: PAGE } };
  }

  willUpdate() {
    const { path, query } = this.request;
    this.keys.load(query, (signal) => get(path, query, signal));
    if (managesAll()) this.projects.load("all", (signal) => getAll("projects", { limit: 100 }, signal, MOST_PROJECTS));
    if (this.query.new) import("./new_key.js");
  }

  render() {
    return html`${getAccess()?.auth === "off"
        ? html`<p class="warning">The service asks for no keys (<code>GATECAST_AUTH=off</code>): whoever reaches it may do all that a key may. Keys that are made here count once it asks for them.</p>`
        : nothing}
      ${this.query.new ? this.renderForm() : nothing} ${this.renderFilters()} ${this.failure ? renderProblem(this.failure) : nothing}
      ${this.keys.render((page) => this.renderKeys(page))}`;
  }

  renderForm() {
    return html`<section class="card">
      <div class="head"><h2>New key</h2><span class="actions"><button type="button" class="quiet" @click=${() => adjust({ new: null })}>Close</button></span></div>
      <gc-new-key .project=${this.project} .projects=${this.names} @made=${this.welcome}></gc-new-key>
    </section>`;
  }

  renderFilters() {
    if (this.names.length < 2) return nothing;
    return html`<div class="filters">
      <label>Keys of the project
        <select name="shown" @change=${(/** @type {Event} */ event) => this.show(/** @type {HTMLSelectElement} */ (event.target).value)}>
          ${this.names.map((name) => html`<option value=${name} ?selected=${name === this.project}>${name}</option>`)}
        </select>
      </label>
    </div>`;
  }

  /** @param {{items: Key[], next_cursor: string|null}} page */
  renderKeys({ items, next_cursor }) {
    const { project, cursor } = this.query;
    if (!items.length) {
      const next = html`<p class="actions"><button type="button" class="primary" @click=${() => adjust({ new: 1 })}>Make the first one</button></p>`;
      return renderEmpty(`There is no key of ${this.project} yet: a client sends one with each call.`, this.query.new ? nothing : next);
    }
    return html`<section class="card">
        <div class="scroll" tabindex="0">
          <table>
            <caption>${formatCount(items.length, "key")} of ${this.project}, the oldest first; times are UTC</caption>
            <thead>
              <tr>
                <th scope="col">Key</th>
                <th scope="col">May</th>
                <th scope="col" class="hide-narrow">Project</th>
                <th scope="col">Made</th>
                <th scope="col">Last used</th>
                <th scope="col">Expires</th>
                <th><span class="hidden-text">What can be done</span></th>
              </tr>
            </thead>
            <tbody>
              ${items.map((key) => this.renderKey(key))}
            </tbody>
          </table>
        </div>
        <div class="chart-foot"><p class="hint">The secret of a key is shown once, when it is made.</p><gc-copy .request=${this.request}></gc-copy></div>
      </section>
      <p class="actions">
        ${cursor ? html`<a class="button" href=${link("access", { tab: "keys", project })}>First</a>` : nothing}
        ${next_cursor ? html`<a class="button" href=${link("access", { tab: "keys", project, cursor: next_cursor })}>More</a>` : nothing}
      </p>`;
  }

  /** @param {Key} key */
  renderKey(key) {
    const { name, begins_with, scopes, project, created_at, last_used_at, expires_at } = key;
    const end = describeEnd(expires_at);
    const labels = describeLabels(key);
    return html`<tr>
      <td class="id">${name}<br /><code class="soft">${begins_with}…</code></td>
      <td class="scopes">${scopes.map((scope) => html`<span class="badge ${scope === "admin" ? "warn" : ""}">${scope}</span> `)}${labels ? html`<div class="hint">${labels}</div>` : nothing}</td>
      <td class="hide-narrow">${project}</td>
      <td><time datetime=${created_at} title=${formatTime(created_at)}>${formatAgo(created_at)}</time></td>
      <td>${last_used_at ? html`<time datetime=${last_used_at} title=${formatTime(last_used_at)}>${formatAgo(last_used_at)}</time>` : "never"}</td>
      <td>${expires_at ? html`<time datetime=${expires_at} title=${formatTime(expires_at)} class=${end.isSoon ? "badge warn" : ""}>${end.text}</time>` : end.text}</td>
      <td><span class="actions">
        <button type="button" aria-label="Rotate ${name}" @click=${() => this.rotate(key)}>Rotate</button>
        <button type="button" class="quiet danger" aria-label="Revoke ${name}" @click=${() => this.revoke(key)}>Revoke</button>
      </span></td>
    </tr>`;
  }

  /** @param {string} project */
  show(project) {
    adjust({ project: project === getOwnProject() ? null : project, cursor: null });
  }

  /** Show what was made, once. @param {CustomEvent<MadeKey>} event */
  async welcome({ detail: { name, project, key } }) {
    adjust({ new: null, project: project === getOwnProject() ? null : project });
    const shown = showSecret(`The key ${name} is made`, key);
    this.failure = null;
    this.keys.reload();
    await shown;
  }

  /** @param {Key} key */
  async rotate(key) {
    const body = await askRotation(key);
    if (!body) return;
    await this.attempt(async () => {
      /** @type {MadeKey} */
      const made = await post(`keys/${key.id}/rotate`, body);
      showSecret(`The new secret of ${key.name}`, made.key, body.keep ? `The secret before works until ${formatTime(toEnd(body.keep))} UTC at most.` : "The secret before works no more.");
    });
  }

  /** @param {Key} key */
  async revoke(key) {
    const { id, name, begins_with, project } = key;
    const own = isMaybeOwn(key) ? " This page is open with a key of this name: if it is this one, the page asks for another." : "";
    const isSure = await confirm({
      title: `Revoke ${name}?`,
      text: `Whoever uses ${name} (${begins_with}…, of ${project}) is refused from the next request on. Secrets from before a rotation end with it, and so do signed links. This cannot be undone.${own}`,
      action: `Revoke ${name}`,
    });
    if (!isSure) return;
    await this.attempt(async () => {
      await call("DELETE", `keys/${id}`);
      notify(`${name} is revoked`);
    });
  }

  /** @param {() => Promise<unknown>} action */
  async attempt(action) {
    try {
      await action();
      this.failure = null;
      this.keys.reload();
    } catch (error) {
      this.failure = /** @type {import("../../api.js").Problem} */ (error);
    }
  }
}

/** @type {Record<string, number>} */
const SECONDS = { h: 3600, D: 86_400 };

/** Return when a secret ends that works so long from now on. @param {string} keep such as 24h */
const toEnd = (keep) => Date.now() / 1000 + parseInt(keep, 10) * SECONDS[keep.slice(-1)];

customElements.define("gc-access-keys", AccessKeys);
