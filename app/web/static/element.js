/** What all components share: they render into the page's own tree, so that styles and readers see one document. */

import { LitElement } from "./vendor/lit.js";

export class Element extends LitElement {
  /** @returns {HTMLElement} */
  createRenderRoot() {
    return this;
  }
}

/** A view of an address. The shell sets `query`, and asks for `heading`. */
export class View extends Element {
  static properties = { query: { attribute: false } };

  constructor() {
    super();
    /** @type {Record<string, string>} */
    this.query = {};
  }

  /** @returns {string} the title of the document */
  get heading() {
    return "";
  }
}
