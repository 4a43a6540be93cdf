/** Access: keys, projects, what the project has used, and what was done in it. */

import { html, nothing } from "../vendor/lit.js";
import { View } from "../element.js";
import { renderEmpty } from "../loader.js";
import { managesAll } from "../parts/access/own.js";
import { adjust, link } from "../router.js";
import { may } from "../session.js";

/** @typedef {"keys"|"projects"|"usage"|"audit"} Tab */
/** @typedef {{text: string, right: import("../session.js").Right, about: string, load: () => Promise<unknown>}} Entry */

/** @type {Record<Tab, Entry>} */
const TABS = {
  keys: { text: "Keys", right: "admin", about: "Who may do what: a key for each client, with the scopes that it needs.", load: () => import("../parts/access/keys.js") },
  projects: { text: "Projects", right: "admin", about: "Tenants: series, models, jobs, rules and alerts of one are not there for the others.", load: () => import("../parts/access/projects.js") },
  usage: { text: "Usage", right: "read", about: "How much the project has, and how much it may have.", load: () => import("../parts/access/usage.js") },
  audit: { text: "Audit log", right: "admin", about: "Each change of settings and each deletion: who, what, and from where.", load: () => import("../parts/access/audit.js") },
};

class AccessView extends View {
  get heading() {
    return TABS[this.tab].text;
  }

  /** @returns {Tab[]} those that are not refused */
  get allowed() {
    return /** @type {Tab[]} */ (Object.keys(TABS)).filter((tab) => may(TABS[tab].right));
  }

  /** @returns {Tab} */
  get tab() {
    const { tab = "" } = this.query;
    return Object.hasOwn(TABS, tab) ? /** @type {Tab} */ (tab) : (this.allowed[0] ?? "usage");
  }

  willUpdate() {
    if (this.allowed.includes(this.tab)) TABS[this.tab].load();
  }

  render() {
    const { tab, allowed } = this;
    return html`<div class="head">
        <div>
          <h1 tabindex="-1">Access</h1>
          <p class="sub">${TABS[tab].about}</p>
        </div>
        ${allowed.includes(tab) ? this.renderActions() : nothing}
      </div>
      ${allowed.length > 1
        ? html`<nav class="tabs" aria-label="About access">
            ${allowed.map((one) => html`<a href=${link("access", { tab: one })} aria-current=${one === tab ? "page" : nothing}>${TABS[one].text}</a>`)}
          </nav>`
        : nothing}
      ${allowed.includes(tab) ? this.renderTab() : renderEmpty(`Your key lacks the scope ${TABS[tab].right}. Ask who runs the service for one that has it.`, nothing)}`;
  }

  renderActions() {
    const what = { keys: "New key", projects: managesAll() ? "New project" : "", usage: "", audit: "" }[this.tab];
    return what && !this.query.new ? html`<span class="actions"><button type="button" class="primary" @click=${() => adjust({ new: 1, edit: null })}>${what}</button></span>` : nothing;
  }

  renderTab() {
    if (this.tab === "keys") return html`<gc-access-keys .query=${this.query}></gc-access-keys>`;
    if (this.tab === "projects") return html`<gc-access-projects .query=${this.query}></gc-access-projects>`;
    if (this.tab === "usage") return html`<gc-access-usage></gc-access-usage>`;
    return html`<gc-access-audit .query=${this.query}></gc-access-audit>`;
  }
}

customElements.define("gc-access", AccessView);
