/** Train. */

import { html } from "../vendor/lit.js";
import { View } from "../element.js";

class TrainView extends View {
  get heading() {
    return "Train";
  }

  render() {
    return html`<h1 tabindex="-1">Train</h1>`;
  }
}

customElements.define("gc-train", TrainView);
