/** The shell: navigation, the key, and the view of the address. */

import { html, nothing } from "./vendor/lit.js";
import { call, setKey } from "./api.js";
import { Element } from "./element.js";
import { renderProblem } from "./loader.js";
import { current, link } from "./router.js";
import { getAccess, loadAccess, may } from "./session.js";
import { loadView, NAVIGATION, VIEWS } from "./views.js";

const THEMES = ["light", "dark"];

class Shell extends Element {
  static properties = {
    shown: { state: true },
    path: { state: true },
    why: { state: true },
    problem: { state: true },
  };

  constructor() {
    super();
    /** @type {import("./element.js").View|null} the view that is shown */
    this.shown = null;
    /** why a key is wanted; empty where none is */
    this.why = "";
    /** @type {import("./api.js").Problem|null} */
    this.problem = null;
    /** the first part of the address */
    this.path = "";
  }

  connectedCallback() {
    super.connectedCallback();
    addEventListener("hashchange", () => this.follow());
    addEventListener("gatecast-key-wanted", (event) => this.askKey(/** @type {CustomEvent<string>} */ (event).detail));
    this.enter();
  }

  /** @param {string} why */
  askKey(why) {
    import("./parts/key.js");
    setKey("");
    this.why = why;
    this.shown = null;
    this.path = "";
  }

  async enter() {
    const { path, query } = current();
    if (path === "login") {
      history.replaceState(null, "", "#/");
      this.askKey(`login:${query.why}`);
      return;
    }
    loadView(path);
    try {
      await loadAccess();
    } catch (error) {
      if (!this.why) this.problem = /** @type {import("./api.js").Problem} */ (error);
      return;
    }
    this.why = "";
    this.problem = null;
    await this.follow();
  }

  /** Show the view of the address: a new one, or the same with another query. */
  async follow() {
    if (!getAccess() || this.why) return;
    const { path, query } = current();
    if (path === this.path && this.shown) {
      this.shown.query = query;
      await this.shown.updateComplete;
      this.name();
      return;
    }
    this.path = path;
    const entry = VIEWS[path];
    await loadView(path);
    if (path !== this.path) return;
    const view = entry ? /** @type {import("./element.js").View} */ (document.createElement(entry.tag)) : null;
    if (view) view.query = query;
    this.shown = view;
    await this.updateComplete;
    await view?.updateComplete;
    this.name();
    scrollTo(0, 0);
    if (this.hasMoved) /** @type {HTMLElement|null} */ (this.querySelector("main h1"))?.focus({ preventScroll: true });
    this.hasMoved = true;
  }

  name() {
    const heading = this.shown?.heading ?? "";
    document.title = heading ? `${heading} · Gatecast` : "Gatecast";
  }

  render() {
    return html`<a class="skip" href="#main" @click=${this.skip}>Skip to the content</a>
      <header class="bar">
        <a class="brand" href=${link("series")}><span class="mark" aria-hidden="true"></span>Gatecast</a>
        ${this.why ? nothing : this.renderNavigation()}
        <span class="bar-end">
          <button type="button" class="quiet" @click=${this.toggleTheme} aria-label="Light or dark">◐</button>
          <a class="quiet" href="docs">API</a>
          ${this.renderLeave()}
        </span>
      </header>
      <main id="main" tabindex="-1">${this.renderMain()}</main>`;
  }

  renderLeave() {
    const access = getAccess();
    if (this.why || access?.auth !== "on") return nothing;
    return access.key
      ? html`<button type="button" class="quiet" @click=${this.forget}>Forget key</button>`
      : html`<button type="button" class="quiet" title=${access.who} @click=${this.logOut}>Sign out</button>`;
  }

  renderNavigation() {
    const nav = VIEWS[this.path]?.nav;
    return html`<nav aria-label="Main">
      ${NAVIGATION.filter(({ rights }) => !rights || rights.some(may)).map(
        (item) => html`<a href=${link(item.path)} aria-current=${item.nav === nav ? "page" : nothing}>${item.label}</a>`,
      )}
    </nav>`;
  }

  renderMain() {
    if (this.why) return html`<gc-key .why=${this.why} @given=${this.enter}></gc-key>`;
    if (this.problem) return renderProblem(this.problem, () => this.enter());
    if (this.shown) return this.shown;
    if (this.path && !VIEWS[this.path]) {
      return html`<h1 tabindex="-1">There is no such view</h1><p>Go to <a href=${link("series")}>the series</a>.</p>`;
    }
    return html`<p class="loading" role="status">Loading …</p>`;
  }

  /** @param {Event} event */
  skip(event) {
    event.preventDefault();
    /** @type {HTMLElement} */ (this.querySelector("main")).focus();
  }

  toggleTheme() {
    const root = document.documentElement;
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = THEMES[isDark ? 0 : 1];
    localStorage.setItem("gatecast-theme", root.dataset.theme);
    dispatchEvent(new CustomEvent("gatecast-theme"));
  }

  async logOut() {
    await call("POST", "logout");
    this.askKey("You have signed out.");
  }

  forget() {
    this.askKey("The key was forgotten.");
  }
}

customElements.define("gc-shell", Shell);

