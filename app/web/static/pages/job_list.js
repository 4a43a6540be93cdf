/** Jobs. */

import { html } from "../vendor/lit.js";
import { View } from "../element.js";

class JobListView extends View {
  get heading() {
    return "Jobs";
  }

  render() {
    return html`<h1 tabindex="-1">Jobs</h1>`;
  }
}

customElements.define("gc-job-list", JobListView);
