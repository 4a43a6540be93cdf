/** Models. */

import { html } from "../vendor/lit.js";
import { View } from "../element.js";

class ModelListView extends View {
  get heading() {
    return "Models";
  }

  render() {
    return html`<h1 tabindex="-1">Models</h1>`;
  }
}

customElements.define("gc-model-list", ModelListView);
