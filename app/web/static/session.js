/** Who the person is to the service: what the key may do. */

import { get } from "./api.js";

/** @typedef {{auth: "on"|"off", project: string, rights: string[], key: string|null, who: string}} Access */

/** @type {Access|null} */
let access = null;

/** Ask the service what may be done here. Throws Problem where a key is wanted. @returns {Promise<Access>} */
export async function loadAccess() {
  access = await get("access");
  return /** @type {Access} */ (access);
}

/** @returns {Access|null} */
export const getAccess = () => access;

/** What a key may have. @typedef {"read"|"forecast"|"write"|"train"|"admin"} Right */

/** Say whether a right is there: what would be refused is not offered. @param {Right} right */
export const may = (right) => access !== null && access.rights.includes(right);
