/** Model. */

import { html } from "../vendor/lit.js";
import { View } from "../element.js";

class OneModelView extends View {
  get heading() {
    return "Model";
  }

  render() {
    return html`<h1 tabindex="-1">Model</h1>`;
  }
}

customElements.define("gc-one-model", OneModelView);
