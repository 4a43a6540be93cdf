/** The tables that are imported, one after another; they go on while another view is looked at. */

import { notify } from "../notice.js";
import { Upload } from "./upload.js";

class Queue {
  constructor() {
    /** @type {Upload[]} the newest first */
    this.uploads = [];
    /** @type {import("../../vendor/lit.js").LitElement|null} the view that shows them */
    this.host = null;
    addEventListener("beforeunload", (event) => {
      if (this.uploads.some(({ phase }) => phase === "writing")) event.preventDefault();
    });
  }

  /** @param {File[]} files */
  add(files) {
    this.uploads = [...files.map((file) => new Upload(file, (upload) => this.proceed(upload))), ...this.uploads];
    this.proceed();
  }

  /** @param {Upload} upload */
  takeOff(upload) {
    this.uploads = this.uploads.filter((other) => other !== upload);
    this.host?.requestUpdate();
  }

  /** Check the next table that waits. @param {Upload} [changed] */
  proceed(changed) {
    this.host?.requestUpdate();
    if (!this.host && changed?.phase === "written") notify(`${changed.file.name} was written`);
    if (!this.host && changed?.phase === "failed") notify(`${changed.file.name} was not written: ${changed.problem?.message}`);
    if (this.uploads.some((upload) => upload.isBusy)) return;
    this.uploads.find((upload) => upload.phase === "waiting")?.check();
  }

  /** Write all that may be, one after another. */
  async writeAll() {
    for (const upload of this.ready) await upload.write();
  }

  /** @returns {Upload[]} */
  get ready() {
    return this.uploads.filter(({ phase, report }) => phase === "checked" && report.inserted + report.updated > 0);
  }
}

export const queue = new Queue();
