/** Anomalies. */

import { html } from "../vendor/lit.js";
import { View } from "../element.js";

class AnomaliesView extends View {
  get heading() {
    return "Anomalies";
  }

  render() {
    return html`<h1 tabindex="-1">Anomalies</h1>`;
  }
}

customElements.define("gc-anomalies", AnomaliesView);
