/**
 * `<gc-combobox .label .search @pick>`: a box that suggests as one types. Fires `pick` with the suggestion that was taken,
 * and `erase` where Backspace is pressed in the empty box.
 *
 * @typedef {{value: string, text: string, hint?: string}} Suggestion
 */

import { html, nothing } from "../vendor/lit.js";
import { Element } from "../element.js";

const DELAY = 120;
let count = 0;

class Combobox extends Element {
  static properties = {
    label: {},
    placeholder: {},
    search: { attribute: false },
    hint: {},
    items: { state: true },
    at: { state: true },
    isOpen: { state: true },
    trouble: { state: true },
  };

  constructor() {
    super();
    this.label = "";
    this.placeholder = "";
    this.hint = "";
    /** @type {((text: string, signal: AbortSignal) => Promise<Suggestion[]>)|null} */
    this.search = null;
    /** @type {Suggestion[]} */
    this.items = [];
    this.at = -1;
    this.isOpen = false;
    this.trouble = "";
    this.text = "";
    /** whether the suggestions are those of an earlier text */
    this.isStale = true;
    this.name = `combobox-${++count}`;
    this.timer = 0;
    /** @type {AbortController|null} */
    this.controller = null;
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearTimeout(this.timer);
    this.controller?.abort();
  }

  /** Put the cursor into the box. */
  focus() {
    this.querySelector("input")?.focus();
  }

  render() {
    return html`<label for=${this.name}>${this.label}</label>
      <div class="combobox">
        <input
          id=${this.name}
          type="text"
          role="combobox"
          autocomplete="off"
          spellcheck="false"
          aria-autocomplete="list"
          aria-expanded=${this.isOpen}
          aria-controls="${this.name}-list"
          aria-activedescendant=${this.isOpen && this.at >= 0 ? `${this.name}-${this.at}` : nothing}
          placeholder=${this.placeholder}
          .value=${this.text}
          @input=${this.type}
          @focus=${this.ask}
          @blur=${this.close}
          @keydown=${this.press}
        />
        <ul id="${this.name}-list" role="listbox" aria-label=${this.label} ?hidden=${!this.isOpen} @mousedown=${this.keepFocus}>
          ${this.items.map((item, i) => this.renderItem(item, i))}
        </ul>
        <p class="suggestion-none" role="status" ?hidden=${!this.isOpen || this.items.length > 0}>${this.trouble || "Nothing fits."}</p>
      </div>
      ${this.hint ? html`<p class="hint">${this.hint}</p>` : nothing}`;
  }

  /** @param {Suggestion} item @param {number} i */
  renderItem(item, i) {
    return html`<li id="${this.name}-${i}" role="option" aria-selected=${i === this.at} @click=${() => this.take(item)}>
      <span>${item.text}</span>${item.hint ? html`<span class="soft">${item.hint}</span>` : nothing}
    </li>`;
  }

  /** @param {Event} event */
  keepFocus(event) {
    event.preventDefault();
  }

  /** @param {InputEvent} event */
  type(event) {
    this.text = /** @type {HTMLInputElement} */ (event.target).value;
    this.isStale = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), DELAY);
  }

  async ask() {
    clearTimeout(this.timer);
    this.controller?.abort();
    const controller = new AbortController();
    this.controller = controller;
    const text = this.text.trim();
    try {
      const items = (await this.search?.(text, controller.signal)) ?? [];
      if (controller.signal.aborted || text !== this.text.trim()) return;
      this.items = items;
      this.trouble = "";
    } catch (error) {
      if (controller.signal.aborted) return;
      this.items = [];
      this.trouble = /** @type {Error} */ (error).message;
    }
    this.isStale = false;
    this.at = this.items.length && this.text ? 0 : -1;
    this.isOpen = true;
  }

  close() {
    clearTimeout(this.timer);
    this.controller?.abort();
    this.isOpen = false;
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      this.move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.enter();
    } else if (event.key === "Escape" && this.isOpen) {
      event.preventDefault();
      this.close();
    } else if (event.key === "Backspace" && !this.text) {
      this.dispatchEvent(new CustomEvent("erase"));
    }
  }

  async enter() {
    if (this.isStale) await this.ask();
    if (this.isOpen && this.items[this.at]) this.take(this.items[this.at]);
  }

  /** @param {number} step */
  async move(step) {
    if (!this.isOpen) {
      await this.ask();
      return;
    }
    if (!this.items.length) return;
    this.at = (this.at + step + this.items.length) % this.items.length;
    await this.updateComplete;
    this.querySelector(`#${this.name}-${this.at}`)?.scrollIntoView({ block: "nearest" });
  }

  /** @param {Suggestion} item */
  take(item) {
    this.text = "";
    this.isStale = true;
    this.close();
    this.requestUpdate();
    this.dispatchEvent(new CustomEvent("pick", { detail: item }));
  }
}

customElements.define("gc-combobox", Combobox);
