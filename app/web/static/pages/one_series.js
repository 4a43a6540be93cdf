/** Series. */

import { html } from "../vendor/lit.js";
import { View } from "../element.js";

class OneSeriesView extends View {
  get heading() {
    return "Series";
  }

  render() {
    return html`<h1 tabindex="-1">Series</h1>`;
  }
}

customElements.define("gc-one-series", OneSeriesView);
