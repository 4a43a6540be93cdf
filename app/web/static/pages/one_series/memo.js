/** Keeps what was made of some inputs, so that what is drawn changes only as they do. */
export class Memo {
  /** @type {unknown[]|null} */
  inputs = null;
  /** @type {any} */
  value = null;

  /** Return what `make` makes of the inputs. @template T @param {unknown[]} inputs @param {(...inputs: any[]) => T} make @returns {T} */
  get(inputs, make) {
    if (!this.inputs || inputs.some((input, index) => input !== this.inputs?.[index])) {
      this.value = make(...inputs);
      this.inputs = inputs;
    }
    return this.value;
  }
}
