/** Who the person is among keys and projects: what of them is their own, and what they may manage. */

import { getAccess } from "../../session.js";

/** the project whose admins manage all others */
export const DEFAULT_PROJECT = "default";

/** @returns {string} the project that the page is open for */
export const getOwnProject = () => getAccess()?.project ?? DEFAULT_PROJECT;

/** Say whether keys of all projects, and projects, may be managed by an admin who is here. */
export const managesAll = () => getOwnProject() === DEFAULT_PROJECT;

/** Say whether the page may be open with a key: it knows its own by name, and names may be given twice. @param {import("../../access_words.js").Key} key */
export const isMaybeOwn = ({ name, project }) => name === getAccess()?.key && project === getOwnProject();
