/** Import. */

import { html } from "../vendor/lit.js";
import { View } from "../element.js";

class ImportView extends View {
  get heading() {
    return "Import";
  }

  render() {
    return html`<h1 tabindex="-1">Import</h1>`;
  }
}

customElements.define("gc-import", ImportView);
