/** Times as they stand in an answer: by the clock of the offset that they carry, which is that of their series. */

import { formatTime } from "./format.js";

/** @param {string|null} ds ISO 8601 with an offset @param {string|null} [freq] */
export const formatStamp = (ds, freq = null) => formatTime(ds?.replace(/(Z|[+-]\d\d:\d\d)$/, "Z") ?? null, "UTC", freq);
