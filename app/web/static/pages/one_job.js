/** Job. */

import { html } from "../vendor/lit.js";
import { View } from "../element.js";

class OneJobView extends View {
  get heading() {
    return "Job";
  }

  render() {
    return html`<h1 tabindex="-1">Job</h1>`;
  }
}

customElements.define("gc-one-job", OneJobView);
